import { expect, expectTypeOf, test } from 'vitest';
import type { LockedTx, ReadTx, Store, WriteTx } from './store.ts';

const anyDatabase = (tx: ReadTx): ReadTx['db'] => tx.db;

test('a locked transaction may be used where one may write, one that writes where one may read, never the other way', () => {
  expectTypeOf<LockedTx>().toExtend<WriteTx>();
  expectTypeOf<WriteTx>().toExtend<ReadTx>();
  expectTypeOf<ReadTx>().not.toExtend<WriteTx>();
  expectTypeOf<WriteTx>().not.toExtend<LockedTx>();
  expect(anyDatabase).toBeTypeOf('function');
});

test('nobody but a store can make one', () => {
  const forge = (tx: WriteTx, store: Store): unknown => {
    // @ts-expect-error a database is not yet a right to write with it
    const forged: WriteTx = { db: tx.db };
    // @ts-expect-error a scope that needs a lock cannot be given to write
    void ((): unknown => store.write(async (locked: LockedTx) => locked));
    return forged;
  };
  expect(forge).toBeTypeOf('function');
});
