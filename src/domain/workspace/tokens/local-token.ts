import { constants } from 'node:fs';
import { link, open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { WaybillError } from '../../../contract/errors.ts';
import { type Clock, systemClock } from '../../../platform/clock/clock.ts';
import { digestOf, hexOf } from '../../../platform/digests/digest.ts';
import { fileWriteFailed, systemCode } from '../../../platform/files/file-write-failed.ts';
import { makeFolder, syncFolder } from '../../../platform/files/make-folder.ts';
import { writeFileDurably } from '../../../platform/files/write-file-durably.ts';
import { randomHex } from '../../../platform/ids/make-id.ts';
import type { Store } from '../../../platform/store/store.ts';
import { isRefused, keepToken } from './issue-token.ts';
import { isToken, makeToken } from './token-text.ts';
import type { Tokens } from './tokens.ts';

/** Two daemons that start at once settle it in one more look; more looks than this mean that something is wrong. */
const looks = 5;

/**
 * The admin token of this machine's user for this workspace, kept in `file` (`.waybill/keys/token`, 0600 in a 0700
 * folder). Its actor is `local:<uid>`, as on the command line without a daemon, so that idempotency keys and the
 * audit are the same with and without one.
 *
 * The file comes first and the store learns of what it holds: whatever a crash leaves is completed at the next call,
 * and of two daemons that start at once the second takes the file of the first. A token the store knows as revoked is
 * replaced; one it does not know (a new database) is made known to it, since only its owner could write that file.
 * @returns the token
 * @throws WaybillError `config_invalid` when the file's mode or owner lets others use it, or it holds no token;
 * `file_write_failed`, `file_read_failed`, `store_*`
 */
export async function ensureLocalToken(
  store: Store,
  tokens: Pick<Tokens, 'authenticate'>,
  file: string,
  { clock = systemClock, uid = ownUid() }: { readonly clock?: Clock; readonly uid?: number } = {},
): Promise<string> {
  for (let look = 1; look <= looks; look += 1) {
    const token = await readLocalToken(file);
    if (token === null) {
      await createTokenFile(file);
      continue;
    }
    const caller = await tokens.authenticate(token);
    if (caller !== null) return token;
    if (await makeKnown(store, clock, token, `local:${uid}`)) return token;
    // Refused: another daemon made it known at this moment, or it is revoked.
    if ((await tokens.authenticate(token)) !== null) return token;
    await writeFileDurably(file, `${makeToken()}\n`);
  }
  throw new WaybillError('file_write_failed', `the token in ${file} keeps changing`, {
    hint: 'Another program writes this file: stop it, delete the file and start again.',
    details: { path: file },
  });
}

/**
 * The token in `file`, or null when there is no file.
 * @throws WaybillError `config_invalid` (see `ensureLocalToken`), `file_read_failed`
 */
export async function readLocalToken(file: string): Promise<string | null> {
  let handle: Awaited<ReturnType<typeof open>>;
  try {
    // Not through a link: what others could point elsewhere is not ours.
    handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return null;
    throw unreadable(file, error);
  }
  try {
    const about = await handle.stat();
    if (!about.isFile()) throw refused(file, 'is not a plain file', `Move it away: mv ${file} ${file}.old`);
    if (about.uid !== ownUid()) {
      throw refused(
        file,
        `belongs to the user ${about.uid}, not to you`,
        'Run waybill as that user, or delete the file.',
      );
    }
    if ((about.mode & 0o077) !== 0) {
      const mode = (about.mode & 0o777).toString(8).padStart(4, '0');
      throw refused(file, `may be used by others (mode ${mode})`, `Run: chmod 600 ${file}`);
    }
    const bytes = Buffer.alloc(256);
    const { bytesRead } = await handle.read(bytes, 0, bytes.length, 0);
    const token = bytes.toString('utf8', 0, bytesRead).trim();
    if (!isToken(token)) throw refused(file, 'holds no token', 'Delete it: the next start makes a new one.');
    return token;
  } catch (error) {
    throw error instanceof WaybillError ? error : unreadable(file, error);
  } finally {
    await handle.close();
  }
}

/** Whole or not at all, and never over one that is there: a link, unlike a rename, refuses an existing name. */
async function createTokenFile(file: string): Promise<void> {
  const temporary = `${file}.${process.pid}-${randomHex(8)}`;
  try {
    await makeFolder(dirname(file));
    const handle = await open(temporary, 'wx', 0o600);
    try {
      await handle.writeFile(`${makeToken()}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await link(temporary, file);
    await syncFolder(dirname(file));
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw fileWriteFailed(file, error);
  } finally {
    await rm(temporary, { force: true });
  }
}

/** False when the store refused it: it knows the token already. */
async function makeKnown(store: Store, clock: Clock, token: string, actor: string): Promise<boolean> {
  // Named after the token, so that many machines on one database do not argue about a name.
  const name = `local-${hexOf(digestOf(`name of ${token}`)).slice(0, 12)}`;
  try {
    await keepToken(store, clock, { name, role: 'admin', repos: [], expires: null, actor, by: actor }, token);
    return true;
  } catch (error) {
    if (isRefused(error)) return false;
    throw error;
  }
}

function ownUid(): number {
  return process.getuid?.() ?? 0;
}

function refused(file: string, what: string, hint: string): WaybillError {
  return new WaybillError('config_invalid', `the token file ${file} ${what}`, { hint, details: { path: file } });
}

function unreadable(file: string, cause: unknown): WaybillError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new WaybillError('file_read_failed', `cannot read the token file ${file}: ${reason}`, {
    hint: 'Check who owns it and its folder; deleting it makes the next start of the daemon write a new one.',
    details: { path: file, systemCode: systemCode(cause) ?? null },
    cause,
  });
}
