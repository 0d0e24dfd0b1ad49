import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type StorePlace, storePlaces } from '../../../../test/support/store-places.ts';
import { systemClock } from '../../../platform/clock/clock.ts';
import type { Store } from '../../../platform/store/store.ts';
import { keepToken } from './issue-token.ts';
import { openTokens } from './open-tokens.ts';
import { makeToken } from './token-text.ts';
import type { RoleChange, Tokens, WantedToken } from './tokens.ts';

describe.each(storePlaces)('what a token may do, on %s', (_, open) => {
  let place: StorePlace;
  let store: Store;
  let tokens: Tokens;
  let elsewhere: Tokens;
  beforeAll(async () => {
    place = await open();
    store = await place.open();
    tokens = openTokens(store, systemClock);
    elsewhere = openTokens(await place.open(), systemClock);
    const repos = ['other', 'third'].map((key) => ({ key, description: '', created_at: 0, created_by: 'test' }));
    await store.write(async (tx) => void (await tx.db.insertInto('repo').values(repos).execute()));
  });
  afterAll(() => place[Symbol.asyncDispose]());

  const auditOf = (resource: string) =>
    store.read((tx) =>
      tx.db
        .selectFrom('audit')
        .select(['actor', 'action', 'outcome', 'reason', 'details'])
        .where('resource', '=', resource)
        .orderBy('id')
        .execute(),
    );

  test('G20 a token has a role, or grants in repos, or both, and says so in its order of repos', async () => {
    const grants = [
      { repo: 'other', role: 'read' },
      { repo: 'local', role: 'publish' },
    ] as const;
    const made = await tokens.make({ name: 'both', role: 'operator', repos: grants }, 'local:7');
    const repos = [...grants].reverse();
    expect(made).toMatchObject({ role: 'operator', repos, expiresAt: null, lastUsedAt: null });
    expect(await elsewhere.authenticate(made.token)).toEqual({ actor: 'token:both', role: 'operator', repos });
    const only = await tokens.make({ name: 'only', repos: [{ repo: 'local', role: 'read' }] }, 'local:7');
    expect(await elsewhere.authenticate(only.token)).toMatchObject({ role: null });
    expect(await auditOf(made.id)).toEqual([
      {
        actor: 'local:7',
        action: 'token.issued',
        outcome: 'succeeded',
        reason: null,
        details: JSON.stringify({ name: 'both', role: 'operator', repos, expiresAt: null }),
      },
    ]);
  });

  test('G20 a token that may do nothing, names a repo twice or one that does not exist is not made, and that is recorded', async () => {
    const local = { repo: 'local', role: 'read' } as const;
    const wrong: readonly (readonly [WantedToken, string, unknown])[] = [
      [{ name: 'bad' }, 'invalid_input', [{ path: 'role', message: expect.any(String) }]],
      [
        { name: 'bad', repos: [local, { repo: 'local', role: 'write' }], expiresAt: '2020-01-01T00:00:00.000Z' },
        'invalid_input',
        [
          { path: 'repos[1].repo', message: 'is the same as repos[0].repo' },
          { path: 'expiresAt', message: 'must be a time to come' },
        ],
      ],
      [{ name: 'bad', repos: [local, { repo: 'nowhere', role: 'read' }] }, 'repo_not_found', undefined],
      [{ name: 'both', role: 'runner' }, 'token_exists', undefined],
    ];
    for (const [wanted, code, problems] of wrong) {
      const made = tokens.make(wanted, 'local:7');
      await expect(made).rejects.toMatchObject(problems === undefined ? { code } : { code, details: { problems } });
    }
    const refused = (await auditOf('tokens/bad')).map(({ outcome, reason }) => [outcome, reason]);
    expect(refused).toEqual([
      ['refused', 'invalid_input'],
      ['refused', 'invalid_input'],
      ['refused', 'repo_not_found'],
    ]);
    expect(await auditOf('tokens/both')).toMatchObject([{ outcome: 'refused', reason: 'token_exists' }]);
  });

  test('G20 roles are changed by an admin, count from the next request on in every process, and are recorded with before and after', async () => {
    const { id, token } = await tokens.make({ name: 'changing', role: 'runner' }, 'local:7');
    const steps: readonly (readonly [RoleChange, object])[] = [
      [
        { repos: [{ repo: 'local', role: 'publish' }] },
        { role: 'runner', repos: [{ repo: 'local', role: 'publish' }] },
      ],
      [
        { role: null, repos: [{ repo: 'third', role: 'admin' }] },
        {
          role: null,
          repos: [
            { repo: 'local', role: 'publish' },
            { repo: 'third', role: 'admin' },
          ],
        },
      ],
      [
        {
          repos: [
            { repo: 'local', role: 'read' },
            { repo: 'third', role: null },
          ],
        },
        { role: null, repos: [{ repo: 'local', role: 'read' }] },
      ],
      [{ role: 'auditor' }, { role: 'auditor', repos: [{ repo: 'local', role: 'read' }] }],
    ];
    let before: object = { role: 'runner', repos: [] };
    const told: string[] = [];
    for (const [change, after] of steps) {
      expect(await tokens.changeRoles(id, change, 'token:boss')).toMatchObject({ id, ...after });
      expect(await elsewhere.authenticate(token)).toEqual({ actor: 'token:changing', ...after });
      told.push(JSON.stringify({ name: 'changing', before, after }));
      before = after;
    }
    expect(await tokens.changeRoles(id, { role: 'auditor' }, 'token:boss')).toMatchObject(before);
    expect((await auditOf(id)).slice(1)).toEqual(
      told.map((details) => ({
        actor: 'token:boss',
        action: 'role.changed',
        outcome: 'succeeded',
        reason: null,
        details,
      })),
    );
  });

  test('G20 what would leave nothing, names what is not there, or is of a token that stays as it is, is refused and recorded', async () => {
    const { id, token } = await tokens.make({ name: 'stays', role: 'runner' }, 'local:7');
    const own = { name: 'own', role: 'admin', repos: [], actor: 'local:7', expires: null, by: 'local:7' } as const;
    const { id: local } = await keepToken(store, systemClock, own, makeToken());
    const revoked = await tokens.make({ name: 'revoked', role: 'runner' }, 'local:7');
    await tokens.revoke(revoked.id, 'local:7');
    const cases: readonly (readonly [string, RoleChange, string])[] = [
      [id, { role: null }, 'invalid_input'],
      [id, { repos: [{ repo: 'nowhere', role: 'read' }] }, 'repo_not_found'],
      [
        id,
        {
          repos: [
            { repo: 'local', role: 'read' },
            { repo: 'local', role: null },
          ],
        },
        'invalid_input',
      ],
      [revoked.id, { role: 'admin' }, 'invalid_transition'],
      [local, { role: 'runner' }, 'invalid_transition'],
      ['tok_0000000000000000', { role: 'admin' }, 'token_not_found'],
    ];
    for (const [of, change, code] of cases) {
      await expect(tokens.changeRoles(of, change, 'token:boss'), code).rejects.toMatchObject({ code });
      expect((await auditOf(of)).at(-1)).toMatchObject({ action: 'role.changed', outcome: 'refused', reason: code });
    }
    expect(await tokens.authenticate(token)).toEqual({ actor: 'token:stays', role: 'runner', repos: [] });
    // A grant of a repo that has gone since can still be taken away.
    await tokens.changeRoles(id, { repos: [{ repo: 'third', role: 'read' }] }, 'token:boss');
    await store.write(async (tx) => void (await tx.db.deleteFrom('repo').where('key', '=', 'third').execute()));
    const taken = await tokens.changeRoles(id, { repos: [{ repo: 'third', role: null }] }, 'token:boss');
    expect(taken.repos).toEqual([]);
  });

  test('G20 of changes that come at once each counts: none is lost', async () => {
    const { id } = await tokens.make({ name: 'busy', role: 'runner' }, 'local:7');
    await Promise.all([
      tokens.changeRoles(id, { repos: [{ repo: 'local', role: 'read' }] }, 'a'),
      elsewhere.changeRoles(id, { repos: [{ repo: 'other', role: 'write' }] }, 'b'),
      tokens.changeRoles(id, { role: 'operator' }, 'c'),
    ]);
    const [now] = (await tokens.list()).filter((each) => each.id === id);
    expect(now).toMatchObject({
      role: 'operator',
      repos: [
        { repo: 'local', role: 'read' },
        { repo: 'other', role: 'write' },
      ],
    });
  });
});
