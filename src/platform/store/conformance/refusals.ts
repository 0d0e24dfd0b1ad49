import { sql } from 'kysely';
import { describe, expect, test } from 'vitest';
import { type ErrorCode, WaybillError } from '../../../contract/errors.ts';
import type { WriteTx } from '../store.ts';
import { fresh, type Place } from './place.ts';
import { append } from './tables.ts';

/** What the database refuses, in our codes. */
export function refusalRules(at: Place): void {
  describe('refusals of the database', () => {
    const secret = 'hunter2-raw-input';
    const refused: readonly (readonly [string, ErrorCode, (tx: WriteTx) => Promise<unknown>])[] = [
      [
        'unique',
        'store_constraint',
        (tx: WriteTx) => sql`INSERT INTO conformance_account VALUES (${secret}, 1), (${secret}, 1)`.execute(tx.db),
      ],
      [
        'not null',
        'store_constraint',
        (tx: WriteTx) => sql`INSERT INTO conformance_account VALUES (${secret}, ${null})`.execute(tx.db),
      ],
      [
        'check',
        'store_constraint',
        (tx: WriteTx) => sql`INSERT INTO conformance_account VALUES (${secret}, ${-1})`.execute(tx.db),
      ],
      [
        'foreign key',
        'store_constraint',
        (tx: WriteTx) => sql`INSERT INTO conformance_note VALUES (${secret}, 'x')`.execute(tx.db),
      ],
      [
        'trigger',
        'store_immutable',
        (tx: WriteTx) => tx.db.updateTable('conformance_entry').set({ run: secret }).execute(),
      ],
      ['syntax', 'internal', (tx: WriteTx) => sql`SELECT ${secret} FROM nowhere`.execute(tx.db)],
    ];
    test.each(refused)('%s: a code of ours, and none of the input', async (kind, code, body) => {
      await at.store.submit(append(fresh('run'), 1));
      const error = await at.store.write(body).then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      expect(error).toBeInstanceOf(WaybillError);
      if (!(error instanceof WaybillError)) return;
      expect(error.code).toBe(code);
      if (code === 'store_constraint') expect(error.details?.constraint).toBe(kind);
      expect(error.hint).toBeTruthy();
      expect(`${error.message} ${JSON.stringify(error.details)} ${String(error.cause)} ${error.stack}`).not.toContain(
        secret,
      );
    });
  });
}
