import { describe, expect, test } from 'vitest';
import { fresh, type Place, refusal, seqsOf } from './place.ts';
import { append, conformanceMigration } from './tables.ts';

/** Hints, and the end of a store. */
export function hintRules(at: Place): void {
  describe('hints', () => {
    test('reach a follower in this store and in another one; none is lost before the wait', async () => {
      using here = at.store.hints.subscribe('run-a');
      using there = at.other.hints.subscribe('run-a');
      using elsewhere = at.store.hints.subscribe('run-b');
      await there.next(200);
      await here.next(1);
      await elsewhere.next(1);
      await at.store.submit(append(fresh('run'), 1));
      at.store.hints.announce('run-a');
      expect(await here.next(0)).toBe(true);
      expect(await there.next(5_000)).toBe(true);
    });

    test('a wait ends without one at its timeout, and at an abort', async () => {
      using quiet = at.store.hints.subscribe(fresh('topic'));
      while (await quiet.next(50));
      expect(await quiet.next(5)).toBe(false);
      const abort = new AbortController();
      const waiting = quiet.next(60_000, abort.signal);
      abort.abort();
      expect(await waiting).toBe(false);
    });
  });

  test('after close every call answers store_closed, and close twice is no error', async () => {
    const closing = await at.place.open([conformanceMigration]);
    const run = fresh('run');
    const last = closing.submit(append(run, 1));
    await closing.close();
    await closing.close();
    await last;
    expect(await seqsOf(at.store, run)).toEqual([1]);
    expect(await refusal(closing.read(async () => 1))).toBe('store_closed');
    expect(await refusal(closing.write(async () => 1))).toBe('store_closed');
    expect(await refusal(closing.submit(append(run, 2)))).toBe('store_closed');
    expect(await refusal(closing.select({ sqlite: 'SELECT 1', postgres: 'SELECT 1' }, []))).toBe('store_closed');
    using follower = closing.hints.subscribe('topic');
    expect(await follower.next(0)).toBe(false);
  });
}
