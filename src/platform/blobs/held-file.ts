import { link, open, readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { WaybillError } from '../../contract/errors.ts';
import { fileWriteFailed, systemCode } from '../files/file-write-failed.ts';
import { isAlive } from '../files/is-alive.ts';
import { randomHex } from '../ids/make-id.ts';
import { nothingThere } from './folder-trash.ts';

const us = `${hostname()} ${process.pid} ${randomHex(8)}`;
/** Who does not show in this time that it lives, on a machine that cannot be asked, does not live. */
const silentAfterMs = 60_000;
const showEveryMs = 10_000;
let taken = 0;

/**
 * Holds a file for one process of however many share its folder, by a second file `<path>.held`. The holder may die: on
 * its own machine that is known from its process, elsewhere from its silence.
 * @throws WaybillError `lease_held`, `file_write_failed`
 */
export async function holdFile(path: string): Promise<AsyncDisposable> {
  const lock = `${path}.held`;
  try {
    while (!(await take(lock))) {
      if (!(await holderLives(lock))) continue;
      throw new WaybillError('lease_held', 'another process is writing to this upload', {
        hint: 'Ask again in a moment, or send it to the daemon that has the connection.',
      });
    }
  } catch (error) {
    throw fileWriteFailed(lock, error);
  }
  const alive = setInterval(() => {
    const now = new Date();
    // Whoever took it for dead took it away; what is written then is refused by its digest.
    utimes(lock, now, now).catch(() => {});
  }, showEveryMs).unref();
  return {
    [Symbol.asyncDispose]: async () => {
      clearInterval(alive);
      // Taken for dead, it is somebody else's by now.
      if ((await holderOf(lock))?.text === us) await rm(lock, { force: true });
    },
  };
}

async function take(lock: string): Promise<boolean> {
  try {
    const handle = await open(lock, 'wx', 0o600);
    try {
      await handle.writeFile(us);
    } catch (error) {
      // On a full disk: nobody could tell whose it is.
      await rm(lock, { force: true });
      throw error;
    } finally {
      await handle.close();
    }
    return true;
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
    throw error;
  }
}

/** Removes what holders that died left in a folder. Returns how many files. */
export async function sweepHeld(folder: string): Promise<number> {
  let swept = 0;
  for (const name of (await readdir(folder).catch(nothingThere)) ?? []) {
    const [, away] = /\.held(-\d+-\d+)?$/.exec(name) ?? [null];
    if (away === null) continue;
    const path = join(folder, name);
    if (away === undefined) swept += (await holderLives(path)) ? 0 : 1;
    else if (((await holderOf(path))?.silentMs ?? 0) > silentAfterMs) {
      await rm(path, { force: true });
      swept++;
    }
  }
  return swept;
}

/** False when nobody holds it, or only somebody who died: then nothing of that is left. */
async function holderLives(lock: string): Promise<boolean> {
  const found = await holderOf(lock);
  if (found === null) return false;
  if (!isDead(found)) return true;
  // Two may have found the same holder dead, and the quicker one holds it by now: what was taken away is looked at again.
  const away = `${lock}-${process.pid}-${++taken}`;
  if (!(await rename(lock, away).then(() => true, nothingThere))) return false;
  const moved = await holderOf(away);
  if (moved !== null && moved.text !== found.text) await link(away, lock).catch(() => {});
  await rm(away, { force: true });
  return false;
}

interface Holder {
  readonly text: string;
  readonly silentMs: number;
}

async function holderOf(lock: string): Promise<Holder | null> {
  try {
    const [text, { mtimeMs }] = await Promise.all([readFile(lock, 'utf8'), stat(lock)]);
    return { text, silentMs: Date.now() - mtimeMs };
  } catch (error) {
    return nothingThere(error);
  }
}

function isDead({ text, silentMs }: Holder): boolean {
  const [host, pid] = text.split(' ');
  // Between its making and its first byte nothing is written in it.
  if (silentMs > silentAfterMs) return true;
  return host === hostname() && text !== us && !isAlive(Number(pid));
}
