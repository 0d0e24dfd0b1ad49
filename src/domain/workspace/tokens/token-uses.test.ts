import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type StorePlace, storePlaces } from '../../../../test/support/store-places.ts';
import type { Operation, Store } from '../../../platform/store/store.ts';
import { openTokens } from './open-tokens.ts';
import { TokenUses } from './token-uses.ts';

const start = Date.parse('2030-01-01T00:00:00.000Z') * 1_000;
const second = 1_000_000;

/** The store, with every operation that is submitted counted. */
function counting(store: Store): { readonly store: Store; readonly submitted: Operation[] } {
  const submitted: Operation[] = [];
  const counted: Store = {
    engine: store.engine,
    hints: store.hints,
    read: (scope) => store.read(scope),
    write: (scope) => store.write(scope),
    locked: (row, scope, options) => store.locked(row, scope, options),
    select: (sql, values) => store.select(sql, values),
    submit: (operation) => {
      submitted.push(operation);
      return store.submit(operation);
    },
    close: () => store.close(),
  };
  return { store: counted, submitted };
}

describe.each(storePlaces)('how long a token opens, and when it last did, on %s', (_, open) => {
  let place: StorePlace;
  let store: Store;
  beforeAll(async () => {
    place = await open();
    store = await place.open();
  });
  afterAll(() => place[Symbol.asyncDispose]());

  test('G21 a token opens until it expires, to the microsecond, and can still be listed and revoked', async () => {
    const clock = { at: start, now: () => clock.at };
    const tokens = openTokens(store, clock);
    const expiresAt = '2030-01-01T00:00:10.000Z';
    const { id, token } = await tokens.make({ name: 'brief', role: 'admin', expiresAt }, 'local:7');
    clock.at = start + 10 * second - 1;
    expect(await tokens.authenticate(token)).toMatchObject({ role: 'admin' });
    for (clock.at = start + 10 * second; clock.at < start + 10 * second + 3; clock.at++) {
      expect(await tokens.authenticate(token)).toBeNull();
    }
    expect((await tokens.list()).find((each) => each.id === id)).toMatchObject({ expiresAt, revokedAt: null });
    await expect(tokens.make({ name: 'brief', role: 'admin' }, 'local:7')).rejects.toMatchObject({
      code: 'token_exists',
    });
    await expect(
      tokens.make({ name: 'late', role: 'admin', expiresAt }, 'local:7'),
      'born expired',
    ).rejects.toMatchObject({ code: 'invalid_input' });
    await tokens.revoke(id, 'local:7');
    expect(await tokens.make({ name: 'brief', role: 'admin' }, 'local:7')).toMatchObject({ expiresAt: null });
  });

  test('G21 a thousand requests write nothing; a minute later one statement says when each token was last used', async () => {
    const clock = { at: start, now: () => clock.at };
    const seen = counting(store);
    const tokens = openTokens(seen.store, clock, { everyMs: 300 });
    const made = await Promise.all(
      ['one', 'two', 'three'].map((name) => tokens.make({ name, role: 'runner' }, 'local:7')),
    );
    const [first, other, unused] = made;
    if (first === undefined || other === undefined || unused === undefined) throw new Error('not made');
    const used = async () =>
      (await tokens.list()).flatMap((each) => (each.lastUsedAt === null ? [] : [each.name])).sort();
    for (let request = 0; request < 500; request++) {
      clock.at += second;
      await tokens.authenticate(first.token);
      clock.at += 1_000;
      await tokens.authenticate(other.token);
      if (request === 0) expect(seen.submitted).toEqual([]);
    }
    const last = clock.at;
    await expect.poll(used, { timeout: 10_000 }).toEqual(['one', 'two']);
    // What took longer than the pause between two writes may have been told twice, but never once a request.
    expect(seen.submitted.length).toBeLessThan(50);
    for (const { statements } of seen.submitted) expect(statements).toHaveLength(1);
    await tokens.close();
    const listed = (await tokens.list()).filter(({ id }) => made.some((each) => each.id === id));
    expect(Object.fromEntries(listed.map(({ name, lastUsedAt }) => [name, lastUsedAt]))).toEqual({
      one: new Date((last - 1_000) / 1_000).toISOString(),
      two: new Date(last / 1_000).toISOString(),
      three: null,
    });
    const written = seen.submitted.length;
    await tokens.close();
    expect(seen.submitted).toHaveLength(written);
  });

  test('G21 closing writes what is not written, and of two processes the later use stands, whichever writes last', async () => {
    const clock = { at: start, now: () => clock.at };
    const [here, there] = [openTokens(store, clock), openTokens(await place.open(), clock)];
    const { id, token } = await here.make({ name: 'shared', role: 'runner' }, 'local:7');
    await here.authenticate(token);
    clock.at = start + 60 * second;
    await there.authenticate(token);
    await there.close();
    await here.close();
    const lastUsedAt = '2030-01-01T00:01:00.000Z';
    expect((await here.list()).find((each) => each.id === id)).toMatchObject({ lastUsedAt });
    expect(await here.changeRoles(id, { role: 'operator' }, 'local:7')).toMatchObject({ lastUsedAt });
    expect(await here.revoke(id, 'local:7')).toMatchObject({ lastUsedAt });
  });
});

test('G21 what the store could not take is told, kept, and written with the next', async () => {
  const told: unknown[] = [];
  const written: unknown[] = [];
  let broken = true;
  const uses = new TokenUses(
    {
      submit: async ({ statements }) => {
        if (broken) throw new Error('the disk is full');
        written.push(...statements.flatMap(({ rows }) => rows));
      },
    },
    { report: (error) => told.push(error) },
  );
  uses.note('tok_1', 1);
  uses.note('tok_2', 2);
  await uses.flush();
  expect([told, written]).toEqual([[new Error('the disk is full')], []]);
  broken = false;
  uses.note('tok_2', 3);
  await uses.close();
  expect(written).toEqual([
    ['tok_1', 1],
    ['tok_2', 3],
  ]);
});
