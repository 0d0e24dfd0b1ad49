import { z } from 'zod';

const count = z.int().min(0);

export const healthSchema = z.strictObject({ status: z.literal('ok'), version: z.string() });
export type Health = z.infer<typeof healthSchema>;

/** Whether new work can be taken, and what it depends on. */
export const readinessSchema = z.strictObject({
  ready: z.boolean(),
  dependencies: z.array(z.strictObject({ name: z.string(), ready: z.boolean(), reason: z.string().nullable() })),
});
export type Readiness = z.infer<typeof readinessSchema>;

/** What this daemon is and can do; all of it read from the running program. */
export const capabilitiesSchema = z.strictObject({
  version: z.string(),
  api: z.literal('v1'),
  node: z.string(),
  platform: z.strictObject({ os: z.string(), arch: z.string() }),
  store: z.strictObject({ engine: z.enum(['sqlite', 'postgres']) }),
  containment: z.strictObject({ how: z.enum(['contained', 'swept']), means: z.string() }),
  workflows: z.array(z.strictObject({ name: z.string(), version: z.string().nullable() })),
  tools: count,
  agents: z.array(z.string()),
  /** Media types of a run's events. */
  eventFormats: z.array(z.string()),
  limits: z.strictObject({
    concurrency: count,
    maxQueue: count,
    bodyBytes: count,
    heartbeatMs: count,
    drainMs: count,
  }),
  queue: z.strictObject({ queued: count, running: count, parked: count }),
});
export type Capabilities = z.infer<typeof capabilitiesSchema>;
