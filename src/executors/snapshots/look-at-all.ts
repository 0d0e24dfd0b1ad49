import { setImmediate as nextTurn } from 'node:timers/promises';
import { lookAtSome, rowWidth } from './stat-rows.ts';
import { joinRound } from './stat-thread.ts';
import type { PathKey } from './tree-path.ts';

/** From so many files on a second thread is worth its start. */
const worthAThread = 4_000;
/** Shares of keys looked at before other work of the process gets a turn: about a millisecond. */
const sharesATurn = 4;

/**
 * Looks at every path: one row each. Synchronous calls in short turns, because an asynchronous `lstat` costs five
 * times as much in Node, and by two threads for a large tree: `git status` looks at as many with several.
 */
export async function lookAtAll(root: string, keys: readonly PathKey[], signal?: AbortSignal): Promise<Float64Array> {
  const rows = new Float64Array(new SharedArrayBuffer(keys.length * rowWidth * 8));
  const next = new Int32Array(new SharedArrayBuffer(4));
  const helped = keys.length >= worthAThread ? joinRound({ root, keys: keys.join('\0'), rows, next }) : undefined;
  for (let shares = 1; lookAtSome(root, keys, rows, next); shares++) {
    if (shares % sharesATurn > 0) continue;
    await nextTurn();
    if (signal?.aborted) Atomics.store(next, 0, keys.length);
  }
  await helped;
  signal?.throwIfAborted();
  return rows;
}
