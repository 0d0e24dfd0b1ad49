import type { Kysely } from 'kysely';
import { type ErrorCode, WaybillError } from '../../../contract/errors.ts';
import type { Migration } from '../migrations.ts';
import type { Database, PreparedSql, Store } from '../store.ts';

/** One empty place to store things in; every `open` is another process's view of it. */
export interface StoreUnderTest {
  open(migrations: readonly Migration[]): Promise<Store>;
  /** Takes, from outside, the lock a change of that account needs; returns what lets it go. */
  lockAccount(id: string): Promise<() => Promise<void>>;
  remove(): Promise<void>;
}

/** Where the rules are tried: two stores on one place, as two processes would have them. */
export interface Place {
  readonly prepare: () => Promise<StoreUnderTest>;
  readonly place: StoreUnderTest;
  readonly store: Store;
  readonly other: Store;
}

export const addToAccount: PreparedSql = {
  sqlite: 'UPDATE conformance_account SET balance = balance + ? WHERE id = ?',
  postgres: 'UPDATE conformance_account SET balance = balance + $1 WHERE id = $2',
};

const codeOf = (error: unknown): ErrorCode | string => (error instanceof WaybillError ? error.code : String(error));

/** The code a promise is rejected with; a promise that is kept is a failure of the test. */
export async function refusal(promise: Promise<unknown>): Promise<ErrorCode | string> {
  return promise.then(
    (value) => `resolved with ${JSON.stringify(value)}`,
    (error: unknown) => codeOf(error),
  );
}

let made = 0;
export const fresh = (what: string): string => `${what}-${++made}`;

export async function account(store: Store, balance = 0): Promise<string> {
  const id = fresh('account');
  await store.write(async (tx) => {
    await tx.db.insertInto('conformance_account').values({ id, balance }).execute();
  });
  return id;
}

export async function balanceOf(store: Store, id: string): Promise<number> {
  const row = await store.read((tx) =>
    tx.db.selectFrom('conformance_account').select('balance').where('id', '=', id).executeTakeFirstOrThrow(),
  );
  return row.balance;
}

export async function seqsOf(store: Store, run: string): Promise<number[]> {
  const rows = await store.read((tx) =>
    tx.db.selectFrom('conformance_entry').select('seq').where('run', '=', run).orderBy('id').execute(),
  );
  return rows.map((row) => row.seq);
}

export const set = (db: Kysely<Database>, id: string, balance: number) =>
  db.updateTable('conformance_account').set({ balance }).where('id', '=', id).execute();
