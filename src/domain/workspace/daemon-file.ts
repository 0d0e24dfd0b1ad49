import { constants } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { systemCode } from '../../platform/files/file-write-failed.ts';
import { writeFileDurably } from '../../platform/files/write-file-durably.ts';
import type { DaemonDescription } from './daemon-description.ts';
import { daemonFile, type Workspace } from './workspace.ts';

/** Far above what a description needs; what is larger is none. */
const mostBytes = 16_384;

/**
 * Says where the daemon of a workspace is: `.waybill/daemon.json`, 0600, whole or not at all. Written when the daemon
 * answers, removed when it ends; one that was killed leaves it behind, so whoever reads it must expect nobody there.
 * @throws WaybillError `file_write_failed`
 */
export function writeDaemonFile(workspace: Workspace, daemon: DaemonDescription): Promise<void> {
  return writeFileDurably(daemonFile(workspace), `${JSON.stringify(daemon, null, 2)}\n`);
}

/** Removes the file, unless another daemon has written its own meanwhile. */
export async function removeDaemonFile(workspace: Workspace, pid = process.pid): Promise<void> {
  const daemon = await readDaemonFile(workspace);
  if (daemon?.pid === pid) await rm(daemonFile(workspace), { force: true });
}

/**
 * What the file says, whether its daemon lives or not. Null when there is none, and for what this user's daemon did not
 * write: a file of somebody else must not tell us whom to give our token.
 */
export async function readDaemonFile(workspace: Workspace): Promise<DaemonDescription | null> {
  const text = await ownText(daemonFile(workspace));
  if (text === null) return null;
  // Only where there is a daemon: every command looks here, and most find nothing.
  const { daemonDescriptionSchema } = await import('./daemon-description.ts');
  try {
    return daemonDescriptionSchema.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null;
  }
}

async function ownText(path: string): Promise<string | null> {
  try {
    await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const about = await file.stat();
    if (!about.isFile() || about.size > mostBytes || about.uid !== process.getuid?.()) return null;
    return await file.readFile('utf8');
  } catch (error) {
    // No file, no folder, a link, or one we may not read: none that is for us.
    if (systemCode(error) === undefined) throw error;
    return null;
  }
}
