import { chmod, lstat, mkdtemp, rename, rm } from 'node:fs/promises';
import type { Server } from 'node:http';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { WaybillError } from '../../contract/errors.ts';

/** The most bytes of a socket's path that every system takes. */
const longestPath = 103;

/**
 * Listens at a path that only our user may connect to. The socket is made in a folder nobody else may enter, gets its
 * mode there, and is then moved to its place, so there is no moment in which it stands open; the same move takes the
 * place of what a dead daemon left.
 * @returns takes the socket away again, unless another daemon has taken the place meanwhile
 * @throws WaybillError `daemon_running` when somebody answers there, `invalid_path`
 */
export async function listenOnSocket(server: Server, path: string): Promise<() => Promise<void>> {
  // `join` would take the dot away, and the folder would be made beside the place instead of in it.
  const beginning = `${dirname(path)}/.`;
  const longest = Math.max(Buffer.byteLength(path), Buffer.byteLength(`${beginning}XXXXXX/s`));
  if (longest > longestPath) {
    throw new WaybillError('invalid_path', `the path of the socket is too long for this system: ${path}`, {
      hint: 'Choose a shorter one with --socket, or listen on a port.',
    });
  }
  await assertFree(path);
  const folder = await mkdtemp(beginning).catch((error: unknown) => {
    throw new WaybillError('invalid_path', `no socket can be made at ${path}`, {
      hint: 'Its folder must be there and yours to write in; or choose another path with --socket.',
      cause: error,
    });
  });
  try {
    const made = join(folder, 's');
    await listening(server, made);
    await chmod(made, 0o600);
    await rename(made, path);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  const { ino } = await lstat(path);
  return async () => {
    const now = await lstat(path).catch(() => undefined);
    if (now?.ino === ino) await rm(path, { force: true });
  };
}

/** @throws WaybillError `daemon_running`, `invalid_path` when something else than a socket is there */
async function assertFree(path: string): Promise<void> {
  const there = await lstat(path).catch(() => undefined);
  if (there === undefined) return;
  if (!there.isSocket()) {
    throw new WaybillError('invalid_path', `${path} is there already and is no socket`, {
      hint: 'Remove it, or choose another path with --socket.',
    });
  }
  if (!(await answers(path))) return;
  throw new WaybillError('daemon_running', `a daemon answers at ${path} already`, {
    hint: 'Use that one, or end it first: .waybill/daemon.json names its process.',
    details: { socket: path },
  });
}

/** Whether anybody listens; a socket whose process died refuses at once. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      // Refused or gone: nobody is there. Whatever else keeps us from asking (permission, a full queue) is somebody.
      resolve(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT');
    });
  });
}

export function listening(server: Server, where: string | { readonly port: number; readonly host: string }) {
  return new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(where, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
