import { mkdir, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { WaybillError } from '../../contract/errors.ts';
import { digestOf, hexOf } from '../../platform/digests/digest.ts';
import { dataFolder, type Workspace } from './workspace.ts';

/** What fits into `sun_path` with its NUL: 108 bytes on Linux, 104 on macOS and the BSDs. */
const longestPath = process.platform === 'linux' ? 107 : 103;

/**
 * Where the daemon of a workspace listens: `.waybill/daemon.sock`, or, where that is too long for a socket, a name made
 * of the workspace in `$XDG_RUNTIME_DIR` or in a folder of this user in the temporary folder (0700, made here).
 * @throws WaybillError `invalid_path` when there is no such folder that is only ours
 */
export async function socketPathFor(
  workspace: Workspace,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<string> {
  const own = join(dataFolder(workspace), 'daemon.sock');
  if (fits(own)) return own;
  const name = `${hexOf(digestOf(workspace.root)).slice(0, 32)}.sock`;
  const { XDG_RUNTIME_DIR: runtime = '' } = env;
  const inRuntime = join(runtime, `waybill-${name}`);
  if (isAbsolute(runtime) && fits(inRuntime) && (await isOnlyOurs(runtime))) return inRuntime;
  const folder = join(tmpdir(), `waybill-${process.getuid?.() ?? 0}`);
  await mkdir(folder, { mode: 0o700 }).catch(() => {});
  const inFolder = join(folder, name);
  if (fits(inFolder) && (await isOnlyOurs(folder))) return inFolder;
  throw new WaybillError('invalid_path', `the path of a socket may have ${longestPath} bytes, and ${own} has more`, {
    hint: 'Name a shorter one with `waybill serve --socket PATH`, or set XDG_RUNTIME_DIR to a folder only you can use.',
    details: { path: own, longest: longestPath },
  });
}

function fits(path: string): boolean {
  return Buffer.byteLength(path) <= longestPath;
}

/** Links are followed: where they lead is what counts, and nobody else can change it then. */
async function isOnlyOurs(folder: string): Promise<boolean> {
  try {
    const about = await stat(folder);
    return about.isDirectory() && about.uid === process.getuid?.() && (about.mode & 0o077) === 0;
  } catch {
    return false;
  }
}
