import { link, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Digest } from '../../contract/ids.ts';
import type { Micros } from '../clock/clock.ts';
import { hexOf } from '../digests/digest.ts';
import { systemCode } from '../files/file-write-failed.ts';
import { isAlive } from '../files/is-alive.ts';
import { randomHex } from '../ids/make-id.ts';

/** `.waybill-trash-<pid>-<token of the process>-<number>-<64 hex>`: whose it is, and which bytes it holds. */
const shape = /^\.waybill-trash-(\d{1,10})-([0-9a-f]{16})-\d+-([0-9a-f]{64})$/;
const token = randomHex(8);
const abandonedAfterMs = 3_600_000;
let made = 0;

export const changedAt = ({ mtimeMs }: { readonly mtimeMs: number }): Micros => Math.floor(mtimeMs * 1000);

/**
 * Removes a file that nobody touched since. It is moved away first and looked at again: a touch before the move shows on
 * it, and it is put back; a touch after the move finds nothing, and its bytes are written anew.
 */
export async function removeUntouched(
  folder: string,
  path: string,
  digest: Digest,
  untouchedSince: Micros,
): Promise<'removed' | 'kept' | 'missing'> {
  const before = await stat(path).catch(nothingThere);
  if (before === null) return 'missing';
  if (changedAt(before) >= untouchedSince) return 'kept';
  const trash = join(folder, `.waybill-trash-${process.pid}-${token}-${++made}-${hexOf(digest)}`);
  if (!(await rename(path, trash).then(() => true, gone))) return 'missing';
  const moved = await stat(trash).catch(nothingThere);
  // Whoever swept it away from us put it back.
  if (moved === null) return 'kept';
  if (changedAt(moved) < untouchedSince) return (await rm(trash).then(() => true, gone)) ? 'removed' : 'kept';
  await putBack(trash, path);
  return 'kept';
}

/** Puts back what collectors that died had moved away: nobody decided on it. */
export async function sweepTrash(folder: string, pathOf: (hex: string) => string): Promise<number> {
  let swept = 0;
  for (const name of await readdir(folder).catch(noNames)) {
    const [, pid, owner, hex] = shape.exec(name) ?? [];
    if (hex === undefined || owner === token) continue;
    const trash = join(folder, name);
    const collector = Number(pid);
    if (collector !== process.pid && isAlive(collector) && !(await isAbandoned(trash))) continue;
    await putBack(trash, pathOf(hex));
    swept++;
  }
  return swept;
}

/** Where bytes lie while a collector looks at them; null when no collector does. */
export async function findInTrash(folder: string, digest: Digest): Promise<string | null> {
  const hex = hexOf(digest);
  const name = (await readdir(folder).catch(noNames)).find((each) => shape.exec(each)?.[3] === hex);
  return name === undefined ? null : join(folder, name);
}

async function putBack(trash: string, path: string): Promise<void> {
  try {
    // Not a rename: what was written anew meanwhile is at least as good.
    await link(trash, path);
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT') return;
    if (code !== 'EEXIST') {
      // A file system without second names. The bytes are the same, whichever stays.
      await rename(trash, path);
      return;
    }
  }
  await rm(trash, { force: true });
}

/** A move changes this time, and leaves that of the content. */
async function isAbandoned(path: string): Promise<boolean> {
  const found = await stat(path).catch(nothingThere);
  return found !== null && Date.now() - found.ctimeMs > abandonedAfterMs;
}

function gone(error: unknown): false {
  if (systemCode(error) === 'ENOENT') return false;
  throw error;
}

export function nothingThere(error: unknown): null {
  if (systemCode(error) === 'ENOENT') return null;
  throw error;
}

function noNames(error: unknown): readonly string[] {
  if (systemCode(error) === 'ENOENT') return [];
  throw error;
}
