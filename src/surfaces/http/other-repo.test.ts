import { sql } from 'kysely';
import { afterAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { bothStores, dropDatabases } from '../../../test/support/both-stores.ts';
import { problemSchema } from '../../contract/api/problem.ts';
import { digestOf } from '../../platform/digests/digest.ts';
import { declaredRoutes } from './route-table.ts';
import { openTestServer, type TestServer } from './testing/open-test-server.ts';

afterAll(dropDatabases);

const there = '/v1/repos/elsewhere';
const bytes = { 'content-type': 'application/octet-stream' };
const digest = digestOf('theirs');
const entry = { path: 'bin/tool', digest, size: 6 };
const rule = { kind: 'name', parameters: { pattern: 'npm:x' }, blocks: 'both', reason: 'theirs' };

/** What a request says beside its path; a route of these without an entry has neither body nor headers. */
const requests: Readonly<Record<string, { readonly body?: unknown; readonly headers?: Record<string, string> }>> = {
  addEntries: { body: { entries: [entry] } },
  putManifest: { body: '{}', headers: { 'content-type': 'application/json' } },
  setTag: { body: { version: '1.0.0' } },
  tombstoneVersion: { body: { reason: 'not mine' } },
  appendToUpload: { body: 'more', headers: { ...bytes, 'upload-offset': '0' } },
};
/** Routes that name nothing but the repo, or bring what they are about themselves. */
const aboutNothingOfIt = [
  'getRepo',
  'deleteRepo',
  'createDraft',
  'publishWhole',
  'listDrafts',
  'listPackages',
  'listQuarantine',
  'listRules',
  'makeRule',
  'startUpload',
  'putBlob',
];

/** One of everything, in a repo that is not `local`. */
async function fill(server: TestServer): Promise<readonly Readonly<Record<string, string>>[]> {
  const ask = async (
    method: string,
    path: string,
    asked: { readonly body?: unknown; readonly headers?: Record<string, string> } = {},
  ) => {
    const answer = await server.ask(method, `${there}${path}`, { as: 'elsewhere', ...asked });
    expect(answer.status, `${method} ${path}: ${answer.text}`).toBeLessThan(300);
    return answer;
  };
  await ask('PUT', `/blobs/${digest}`, { body: 'theirs', headers: bytes });
  const ids: string[] = [];
  for (const version of ['1.0.0', '2.0.0']) {
    const body = { type: 'generic', name: 'tool', version, entries: [entry] };
    const { versionId } = z
      .looseObject({ versionId: z.string() })
      .parse((await ask('POST', '/packages/versions/drafts', { body })).json);
    await ask('PUT', `/packages/versions/${versionId}/manifest`, requests.putManifest);
    ids.push(versionId);
  }
  const [published = '', draft = ''] = ids;
  const signatures = [{ keyid: 'theirs', sig: '' }];
  const envelope = JSON.stringify({ payload: 'e30=', payloadType: 'application/vnd.in-toto+json', signatures });
  const attestation = { version: published, envelope, key_id: 'theirs', digest: digestOf(envelope) };
  await server.process.engine.store.write(
    async (tx) => void (await tx.db.insertInto('version_attestation').values(attestation).execute()),
  );
  await ask('POST', `/packages/versions/${published}/publish`);
  await ask('PUT', '/packages/generic/tool/tags/latest', requests.setTag);
  const { uploadId } = z
    .looseObject({ uploadId: z.string() })
    .parse((await ask('POST', '/uploads', { body: {} })).json);
  const made = z.object({ rule: z.looseObject({ ruleId: z.string() }) });
  const { ruleId } = made.loose().parse((await ask('POST', '/rules', { body: rule })).json).rule;
  const same = {
    type: 'generic',
    name: 'tool',
    version: '1.0.0',
    tag: 'latest',
    path: 'bin/tool',
    digest,
    uploadId,
    ruleId,
  };
  return [published, draft].map((versionId) => ({ ...same, versionId }));
}

function addressOf(path: string, values: Readonly<Record<string, string>>, repoKey: string): string {
  const known: Readonly<Record<string, string>> = { ...values, repoKey };
  return path.replace(/\{(\+?)(\w+)\}/g, (_, wild: string, name: string) => {
    const value = known[name];
    if (value === undefined) throw new Error(`what is {${name}} of ${path}?`);
    return wild === '' ? encodeURIComponent(value) : value;
  });
}

function rowsOf(server: TestServer): Promise<unknown> {
  const tables = [
    'package',
    'version',
    'version_entry',
    'version_manifest',
    'version_attestation',
    'tag',
    'repo_blob',
    'upload',
    'policy_rule',
  ];
  return server.process.engine.store.read(async (tx) => {
    const all: unknown[] = [];
    for (const table of tables) all.push((await sql`SELECT * FROM ${sql.table(table)}`.execute(tx.db)).rows);
    return all;
  });
}

describe.each(bothStores)('what is in another repo, on %s', (_name, open) => {
  test('G20 an id, a name or a digest of another repo opens nothing through a repo that is mine', async () => {
    await using server = await openTestServer({ ...(await open()), works: false });
    await server.token('elsewhere');
    const filled = await fill(server);
    const before = await rowsOf(server);
    const routes = declaredRoutes().filter(
      ({ path, operationId }) => path.includes('{repoKey}') && !aboutNothingOfIt.includes(operationId),
    );
    let asked = 0;
    for (const { operationId, method, path } of routes) {
      for (const values of filled) {
        for (const as of ['repo-admin', 'admin'] as const) {
          const request = requests[operationId] ?? {};
          const answer = await server.ask(method, addressOf(path, values, 'local'), { as, ...request });
          const what = `${as}: ${operationId} ${answer.text}`;
          expect(answer.status, what).toBe(404);
          if (method !== 'HEAD') expect(problemSchema.parse(answer.json).code, what).toMatch(/_(not_found|unknown)$/);
          asked++;
        }
      }
    }
    // Nor do the lists of mine say anything of it, and nothing of it has changed.
    for (const list of ['', '/packages', '/packages/versions/drafts', '/rules', '/quarantine']) {
      const answer = await server.ask('GET', `/v1/repos/local${list}`, { as: 'repo-admin' });
      expect([answer.status, answer.text.includes('tool') || answer.text.includes('theirs')], list).toEqual([
        200,
        false,
      ]);
    }
    expect(await rowsOf(server)).toEqual(before);
    // The same addresses in their own repo are somebody's: what was refused was the way, not a mistake in it.
    const [published] = filled;
    if (published === undefined) throw new Error('nothing was filled');
    for (const { operationId, method, path } of routes.filter((route) => ['GET', 'HEAD'].includes(route.method))) {
      const answer = await server.ask(method, addressOf(path, published, 'elsewhere'), { as: 'elsewhere' });
      expect(answer.status, operationId).toBe(200);
    }
    expect(asked).toBe(routes.length * 4);
    console.log(`${routes.length} routes, ${asked} requests`);
  });

  test('G20 a list of repos holds those one may read, and no other', async () => {
    await using server = await openTestServer({ ...(await open()), works: false });
    await server.token('elsewhere');
    const seen = z.object({ repos: z.array(z.looseObject({ key: z.string() })) }).loose();
    const expected = {
      admin: ['elsewhere', 'local'],
      auditor: ['elsewhere', 'local'],
      runner: [],
      operator: [],
      'repo-read': ['local'],
      'repo-admin': ['local'],
      elsewhere: ['elsewhere'],
    } as const;
    for (const as of ['admin', 'auditor', 'runner', 'operator', 'repo-read', 'repo-admin', 'elsewhere'] as const) {
      const { repos } = seen.parse((await server.ask('GET', '/v1/repos', { as })).json);
      expect(
        repos.map(({ key }) => key),
        as,
      ).toEqual(expected[as]);
    }
  });
});
