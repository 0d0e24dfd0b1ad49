import fc from 'fast-check';
import { sql } from 'kysely';
import { describe, expect, test } from 'vitest';
import { WaybillError } from '../../../contract/errors.ts';
import type { Operation } from '../store.ts';
import { account, addToAccount, balanceOf, fresh, type Place, refusal, seqsOf } from './place.ts';
import { append } from './tables.ts';

/** Operations in groups and lanes. */
export function operationRules(at: Place): void {
  describe('operations', () => {
    test('many in flight are all durable, in order within a lane, seen by another store', async () => {
      const runs = Array.from({ length: 20 }, () => fresh('run'));
      await Promise.all(
        runs.flatMap((run) => Array.from({ length: 10 }, (_, index) => at.store.submit(append(run, index + 1)))),
      );
      for (const run of runs) expect(await seqsOf(at.other, run)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    });

    test('one that fails leaves no trace and takes no other with it', async () => {
      const [good, bad, alsoGood] = [fresh('run'), fresh('run'), fresh('run')];
      const results = await Promise.all([
        refusal(at.store.submit(append(good, 1))),
        refusal(at.store.submit({ statements: [...append(bad, 1, 2).statements, ...append(bad, 2).statements] })),
        refusal(at.store.submit(append(alsoGood, 1))),
        refusal(
          at.store.write((tx) =>
            tx.db
              .insertInto('conformance_account')
              .values({ id: bad, balance: 1 })
              .execute()
              .then(() => undefined),
          ),
        ),
      ]);
      expect(results).toEqual([
        'resolved with undefined',
        'store_constraint',
        'resolved with undefined',
        'resolved with undefined',
      ]);
      expect(await seqsOf(at.store, good)).toEqual([1]);
      expect(await seqsOf(at.store, bad)).toEqual([]);
      expect(await seqsOf(at.store, alsoGood)).toEqual([1]);
      expect(await balanceOf(at.store, bad)).toBe(1);
    });

    test('one that changes another number of rows is refused with its own error, or store_constraint', async () => {
      const id = await account(at.store, 1);
      const fenced = new WaybillError('stale_epoch', 'no longer the holder');
      const change = (refuse?: () => Error): Operation => ({
        statements: [
          { sql: addToAccount, rows: [[1, id]] },
          { sql: addToAccount, rows: [[1, 'nobody']], expectChanges: 1, ...(refuse === undefined ? {} : { refuse }) },
        ],
      });
      await expect(at.store.submit(change(() => fenced))).rejects.toBe(fenced);
      expect(await refusal(at.store.submit(change()))).toBe('store_constraint');
      expect(await balanceOf(at.store, id)).toBe(1);
    });

    test('a failure rejects what is queued behind it in its lane, and only that', async () => {
      const [lane, free] = [fresh('run'), fresh('run')];
      await at.store.submit(append(lane, 1));
      const results = await Promise.all([
        refusal(at.store.submit(append(lane, 2))),
        refusal(at.store.submit(append(lane, 1))),
        refusal(at.store.submit(append(free, 1))),
        refusal(at.store.submit(append(lane, 3))),
        refusal(at.store.submit(append(lane, 4))),
      ]);
      expect(results).toEqual([
        'resolved with undefined',
        'store_constraint',
        'resolved with undefined',
        'store_lane_failed',
        'store_lane_failed',
      ]);
      expect(await seqsOf(at.store, lane)).toEqual([1, 2]);
      await at.store.submit(append(lane, 3));
      expect(await seqsOf(at.store, lane)).toEqual([1, 2, 3]);
    });

    test('whatever is submitted at once, each lane keeps exactly what came before its first failure', async () => {
      const entry = fc.record({ lane: fc.nat(4), bad: fc.boolean(), scope: fc.boolean() });
      await fc.assert(
        fc.asyncProperty(fc.array(entry, { minLength: 1, maxLength: 30 }), async (entries) => {
          const run = fresh('law');
          await at.store.submit(append(run, 0));
          const lanes = new Map<number, { next: number; broken: boolean }>();
          const expected: string[] = [];
          const kept: string[] = [];
          const sent = entries.map(({ lane, bad, scope }) => {
            const state = lanes.get(lane) ?? { next: 1, broken: false };
            lanes.set(lane, state);
            const name = `${run}.${lane}`;
            const seq = state.next++;
            expected.push(state.broken ? 'store_lane_failed' : bad ? 'store_constraint' : 'resolved with undefined');
            if (!state.broken && !bad) kept.push(`${name} ${seq}`);
            state.broken ||= bad;
            // Closures in between make a batch of SQLite take the way with savepoints from the start.
            if (scope) void at.store.write(async () => {});
            const { statements } = append(name, seq);
            return refusal(
              at.store.submit({
                lane: name,
                statements: bad ? [...statements, ...append(run, 0).statements] : statements,
              }),
            );
          });
          expect(await Promise.all(sent)).toEqual(expected);
          const rows = await at.store.read((tx) =>
            tx.db
              .selectFrom('conformance_entry')
              .select(['run', 'seq'])
              .where('run', '>', `${run}.`)
              .where('run', '<', `${run}/`)
              .execute(),
          );
          expect(rows.map((row) => `${row.run} ${row.seq}`).sort()).toEqual(kept.sort());
        }),
        { numRuns: 30 },
      );
    });

    test('one may hold more rows than a statement has parameters', async () => {
      const run = fresh('run');
      const seqs = Array.from({ length: 20_000 }, (_, index) => index + 1);
      await at.store.submit(append(run, ...seqs));
      const count = await at.store.read((tx) =>
        sql<{ n: number }>`SELECT count(*) AS n FROM conformance_entry WHERE run = ${run}`.execute(tx.db),
      );
      expect(count.rows).toEqual([{ n: 20_000 }]);
    });
  });
}
