import { connect } from 'node:net';
import type { DaemonDescription } from './daemon-description.ts';
import { readDaemonFile } from './daemon-file.ts';
import type { Workspace } from './workspace.ts';

/** A local connection is made or refused at once; this is only for a machine that hardly moves. */
const patienceMs = 2_000;

/** A daemon that takes connections, and how to reach it. */
export interface FoundDaemon extends DaemonDescription {
  readonly address: { readonly socket: string } | { readonly url: string };
}

/**
 * The daemon that serves a workspace now, or null. What a killed one left behind costs no time: nobody takes the
 * connection. The socket goes first, because nobody else can sit behind it; a port may have a new owner, who must not
 * get our token, so it counts only while the process that named it lives.
 */
export async function findDaemon(workspace: Workspace): Promise<FoundDaemon | null> {
  const daemon = await readDaemonFile(workspace);
  if (daemon === null) return null;
  const { socket, url, pid } = daemon;
  if (socket !== null && (await takesConnections({ path: socket }))) return { ...daemon, address: { socket } };
  if (url === null || !lives(pid)) return null;
  const { hostname, port } = new URL(url);
  if (!(await takesConnections({ host: hostname, port: Number(port) }))) return null;
  return { ...daemon, address: { url } };
}

function lives(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    // None of that number, or somebody else's: ours it is not.
    return false;
  }
}

async function takesConnections(to: { readonly path: string } | { readonly host: string; readonly port: number }) {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(to);
  socket.setTimeout(patienceMs, () => resolve(false));
  socket.once('connect', () => resolve(true));
  socket.once('error', () => resolve(false));
  const taken = await promise;
  socket.destroy();
  return taken;
}
