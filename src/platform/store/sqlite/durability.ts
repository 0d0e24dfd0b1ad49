import type { DatabaseSync } from 'node:sqlite';
import { retryWhileBusy } from './lock-wait.ts';

/**
 * Makes a commit mean that it survives a power cut, and lets others read while one writes. Journal mode is kept
 * in the file; the rest belongs to this connection. https://www.sqlite.org/pragma.html#pragma_synchronous
 */
export async function makeDurable(database: DatabaseSync, waitMs: number): Promise<void> {
  await retryWhileBusy(() => {
    // Asking first: setting it takes a lock even when nothing changes.
    if (database.prepare('PRAGMA journal_mode').get()?.journal_mode !== 'wal')
      database.exec('PRAGMA journal_mode = WAL');
  }, waitMs);
  database.exec('PRAGMA synchronous = FULL');
  // Elsewhere fsync reaches the platter; on macOS only F_FULLFSYNC does.
  if (process.platform === 'darwin') database.exec('PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON');
}
