import type { Kysely } from 'kysely';
import type { Database, LockedTx, ReadTx, WriteTx } from './store.ts';

/**
 * The only place where a transaction type is made; the stores call it when a scope begins. The brand has no
 * value at run time, so these three casts are what keeps everyone else from writing a transaction down by hand.
 */
export const capability = {
  read: (db: Kysely<Database>): ReadTx => ({ db }) as ReadTx,
  write: (db: Kysely<Database>): WriteTx => ({ db }) as WriteTx,
  locked: (db: Kysely<Database>): LockedTx => ({ db }) as LockedTx,
};
