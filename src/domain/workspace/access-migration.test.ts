import { sql } from 'kysely';
import { describe, expect, test } from 'vitest';
import { storePlaces } from '../../../test/support/store-places.ts';
import { systemClock } from '../../platform/clock/clock.ts';
import { digestOf } from '../../platform/digests/digest.ts';
import { allMigrations } from './all-migrations.ts';
import { openTokens } from './tokens/open-tokens.ts';
import { makeToken } from './tokens/token-text.ts';

const before = allMigrations().filter(({ feature, number }) => feature !== 'workspace' || number < 2);

describe.each(storePlaces)('roles come to tokens that are there already, on %s', (engine, open) => {
  test('G21 G29 tokens of the first schema keep opening, with the role that stands for theirs', async () => {
    await using place = await open();
    const old = await place.open(before);
    const tokens = ['reader', 'writer', 'admin', 'admin'].map((role, index) => {
      const token = makeToken();
      return { id: `tok_${index}`, name: `the-${index}`, role, token, digest: digestOf(token) };
    });
    await old.write(async (tx) => {
      for (const { id, name, role, digest } of tokens) {
        await sql`INSERT INTO api_token (id, name, actor, role, digest, created_at, created_by, revoked_at, revoked_by)
          VALUES (${id}, ${name}, ${`token:${name}`}, ${role}, ${digest}, 5, 'local:7', NULL, NULL)`.execute(tx.db);
      }
      await sql`UPDATE api_token SET revoked_at = 9, revoked_by = 'local:7' WHERE id = 'tok_3'`.execute(tx.db);
    });
    await old.close();

    const store = await place.open();
    const now = openTokens(store, systemClock);
    const opened = await Promise.all(tokens.map(({ token }) => now.authenticate(token)));
    expect(opened).toEqual([
      { actor: 'token:the-0', role: 'auditor', repos: [] },
      { actor: 'token:the-1', role: 'runner', repos: [] },
      { actor: 'token:the-2', role: 'admin', repos: [] },
      null,
    ]);
    const listed = await now.list();
    expect(listed.map(({ id, createdAt, expiresAt, lastUsedAt }) => [id, createdAt, expiresAt, lastUsedAt])).toEqual(
      tokens.map(({ id }) => [id, '1970-01-01T00:00:00.000Z', null, null]),
    );
    expect(listed.at(-1)).toMatchObject({ revokedAt: '1970-01-01T00:00:00.000Z' });

    // The guards are there again: all of them, on this engine.
    const rows = () => store.read((tx) => tx.db.selectFrom('api_token').selectAll().orderBy('id').execute());
    const kept = await rows();
    const attempts = [
      sql`UPDATE api_token SET digest = ${digestOf('x')} WHERE id = 'tok_0'`,
      sql`UPDATE api_token SET expires_at = 1 WHERE id = 'tok_0'`,
      sql`UPDATE api_token SET role = NULL WHERE id = 'tok_0'`,
      sql`UPDATE api_token SET role = 'reader' WHERE id = 'tok_0'`,
      sql`UPDATE api_token SET role = 'admin' WHERE id = 'tok_3'`,
      sql`UPDATE api_token SET revoked_at = NULL, revoked_by = NULL WHERE id = 'tok_3'`,
      sql`UPDATE api_token SET revoked_at = 1, revoked_by = 'x', role = 'admin' WHERE id = 'tok_0'`,
      sql`DELETE FROM api_token WHERE id = 'tok_0'`,
      sql`INSERT INTO api_token SELECT * FROM api_token WHERE id = 'tok_0'`,
      ...(engine === 'SQLite'
        ? [sql`INSERT OR REPLACE INTO api_token SELECT * FROM api_token`]
        : [sql`TRUNCATE api_token`]),
    ];
    for (const attempt of attempts) {
      await expect(store.write(async (tx) => void (await attempt.execute(tx.db)))).rejects.toThrow();
    }
    expect(await rows()).toEqual(kept);

    await store.close();
    const again = await place.open();
    expect(await openTokens(again, systemClock).list()).toEqual(listed);
  });
});
