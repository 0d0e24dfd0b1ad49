import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type StorePlace, storePlaces } from '../../../../test/support/store-places.ts';
import { systemClock } from '../../../platform/clock/clock.ts';
import { digestOf } from '../../../platform/digests/digest.ts';
import type { Store, WriteTx } from '../../../platform/store/store.ts';
import { openTokens } from './open-tokens.ts';
import type { Tokens } from './tokens.ts';

describe.each(storePlaces)('tokens on %s', (_, open) => {
  let place: StorePlace;
  let opened: { readonly store: Store; readonly second: Store };
  let tokens: Tokens;
  beforeAll(async () => {
    place = await open();
    opened = { store: await place.open(), second: await place.open() };
    tokens = openTokens(opened.store, systemClock);
  });
  afterAll(() => place[Symbol.asyncDispose]());

  const auditOf = (id: string) =>
    opened.store.read((tx) =>
      tx.db.selectFrom('audit').select(['actor', 'action', 'details']).where('resource', '=', id).execute(),
    );

  test('a token opens with its role, in every process, until it is revoked in any', async () => {
    const made = await tokens.make({ name: 'ci', role: 'runner' }, 'local:7');
    expect(made).toMatchObject({ name: 'ci', actor: 'token:ci', role: 'runner', revokedAt: null });
    expect(made.token).toMatch(/^wb_[A-Za-z0-9_-]{43}$/);
    const elsewhere = openTokens(opened.second, systemClock);
    expect(await elsewhere.authenticate(made.token)).toEqual({ actor: 'token:ci', role: 'runner', repos: [] });
    const revoked = await tokens.revoke(made.id, 'local:8');
    expect(revoked.revokedAt).not.toBeNull();
    expect(await elsewhere.authenticate(made.token)).toBeNull();
    expect(await tokens.revoke(made.id, 'local:9')).toEqual(revoked);
    expect(await auditOf(made.id)).toEqual([
      {
        actor: 'local:7',
        action: 'token.issued',
        details: '{"name":"ci","role":"runner","repos":[],"expiresAt":null}',
      },
      { actor: 'local:8', action: 'token.revoked', details: '{"name":"ci","role":"runner","repos":[]}' },
    ]);
    expect(await tokens.list()).toContainEqual(revoked);
  });

  test('what is not a token opens nothing, however it looks', async () => {
    const { token } = await tokens.make({ name: 'close', role: 'auditor' }, 'local:7');
    const other = token.endsWith('A') ? 'B' : 'A';
    const wrong = [
      '',
      'wb_',
      token.slice(0, -1),
      `${token} `,
      `${token.slice(0, -1)}${other}`,
      digestOf(token),
      token.slice(3),
      `wb_${'A'.repeat(43)}`,
      "wb_' OR 1=1 --",
      'x'.repeat(1_000_000),
    ];
    expect(await Promise.all(wrong.map((text) => tokens.authenticate(text)))).toEqual(wrong.map(() => null));
    expect(await tokens.authenticate(token)).toEqual({ actor: 'token:close', role: 'auditor', repos: [] });
  });

  test('of many that want one name at once one gets it; a revoked one frees it', async () => {
    const elsewhere = openTokens(opened.second, systemClock);
    const wanted = { name: 'one', role: 'admin' } as const;
    const asked = await Promise.allSettled(
      Array.from({ length: 8 }, (__, index) => (index % 2 === 0 ? tokens : elsewhere).make(wanted, 'local:7')),
    );
    const made = asked.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    const reasons = asked.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []));
    expect([made.length, reasons.length]).toEqual([1, 7]);
    for (const reason of reasons) expect(reason).toMatchObject({ code: 'token_exists', details: { name: 'one' } });
    const [first] = made;
    if (first === undefined) throw new Error('nobody got it');
    await tokens.revoke(first.id, 'local:7');
    const second = await tokens.make(wanted, 'local:7');
    expect(await tokens.authenticate(second.token)).toEqual({ actor: 'token:one', role: 'admin', repos: [] });
    await expect(tokens.revoke('tok_0000000000000000', 'local:7')).rejects.toMatchObject({ code: 'token_not_found' });
  });

  test('G21 the store refuses every change of a token but of its roles, and its one revocation', async () => {
    const { id, token } = await tokens.make({ name: 'kept', role: 'auditor' }, 'local:7');
    const gone = await tokens.make({ name: 'gone', role: 'auditor' }, 'local:7');
    await tokens.revoke(gone.id, 'local:7');
    const rows = () => opened.store.read((tx) => tx.db.selectFrom('api_token').selectAll().orderBy('id').execute());
    const before = await rows();
    const row = before.find((each) => each.id === id);
    if (row === undefined) throw new Error('no row');
    const change = (to: Partial<typeof row>, of = id) => {
      return (tx: WriteTx) => tx.db.updateTable('api_token').set(to).where('id', '=', of).execute();
    };
    const attempts: ((tx: WriteTx) => Promise<unknown>)[] = [
      change({ role: 'admin', revoked_at: 1, revoked_by: 'x' }),
      change({ role: null }),
      change({ grants: '[]', role: null }),
      change({ expires_at: 1 }),
      change({ role: 'admin' }, gone.id),
      change({ actor: 'someone else' }),
      change({ digest: digestOf('another') }),
      change({ name: 'another', revoked_at: 1, revoked_by: 'x' }),
      change({ created_by: 'x', revoked_at: 1, revoked_by: 'x' }),
      change({ revoked_at: null, revoked_by: null }, gone.id),
      change({ revoked_at: 2, revoked_by: 'x' }, gone.id),
      (tx) => tx.db.deleteFrom('api_token').where('id', '=', id).execute(),
      (tx) => tx.db.insertInto('api_token').values(row).execute(),
      (tx) =>
        tx.db
          .insertInto('api_token')
          .values({ ...row, id: 'tok_1', name: 'new' })
          .execute(),
      (tx) =>
        tx.db
          .insertInto('api_token')
          .values({ ...row, id: 'tok_1', digest: digestOf('new') })
          .execute(),
      (tx) => {
        const fresh = { ...row, id: 'tok_1', name: 'new', digest: digestOf('new'), revoked_at: 1, revoked_by: 'x' };
        return tx.db.insertInto('api_token').values(fresh).execute();
      },
      (tx) => {
        const insert = tx.db.insertInto('api_token').values({ ...row, role: 'admin' });
        return insert.onConflict((on) => on.column('id').doUpdateSet({ digest: digestOf('new') })).execute();
      },
    ];
    if (opened.store.engine === 'sqlite') {
      const replaced: Partial<typeof row>[] = [
        { role: 'admin' },
        { id: 'tok_1', role: 'admin', name: 'new' },
        { id: 'tok_1', role: 'admin', digest: digestOf('new') },
      ];
      for (const other of replaced) {
        attempts.push((tx) =>
          tx.db
            .insertInto('api_token')
            .orReplace()
            .values({ ...row, ...other })
            .execute(),
        );
      }
    }
    for (const attempt of attempts) {
      await expect(opened.store.write(async (tx) => void (await attempt(tx)))).rejects.toMatchObject({
        code: expect.stringMatching(/^store_(immutable|constraint)$/),
      });
    }
    await expect(opened.store.write((tx) => sql`TRUNCATE api_token`.execute(tx.db))).rejects.toThrow();
    expect(await rows()).toEqual(before);
    expect(await tokens.authenticate(token)).toEqual({ actor: 'token:kept', role: 'auditor', repos: [] });
  });

  test('nothing of a token is in the store but its digest', async () => {
    const { token, id } = await tokens.make({ name: 'secret', role: 'admin' }, 'local:7');
    const files = place.folder === null ? [] : await readdir(place.folder);
    const bytes = await Promise.all(files.map((file) => readFile(join(place.folder ?? '', file), 'latin1')));
    const rows = await opened.store.read(async (tx) => [
      await tx.db.selectFrom('api_token').selectAll().execute(),
      await tx.db.selectFrom('audit').selectAll().execute(),
    ]);
    const all = `${JSON.stringify(rows)}${bytes.join('')}`;
    expect(all).toContain(digestOf(token));
    expect(all).toContain(id);
    expect(all).not.toContain(token.slice(3));
  });
});
