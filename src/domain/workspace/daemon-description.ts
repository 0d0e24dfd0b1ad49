import { z } from 'zod';

/** What `.waybill/daemon.json` says of the daemon that serves a workspace. */
export const daemonDescriptionSchema = z.object({
  pid: z.int().min(1),
  /** `http://127.0.0.1:PORT`; null when it listens on a socket only. */
  url: z.url({ protocol: /^http$/ }).nullable(),
  socket: z.string().min(1).nullable(),
  version: z.string(),
  startedAt: z.iso.datetime(),
  /** Where the token is that speaks for the user who started it. */
  tokenFile: z.string().min(1),
});
export type DaemonDescription = z.infer<typeof daemonDescriptionSchema>;
