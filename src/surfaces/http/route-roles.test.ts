import { expect, test } from 'vitest';
import { problemSchema } from '../../contract/api/problem.ts';
import { type DeclaredRoute, declaredRoutes } from './route-table.ts';
import { openTestServer, type TestServer, type TestToken, testTokens } from './testing/open-test-server.ts';

/** Who gets in: words of `testTokens`, by what a route does. Whoever is not named is refused. */
const letIn = {
  'with any token': testTokens.join(' '),
  'to read runs': 'runner operator auditor admin',
  'to work on runs': 'runner operator admin',
  'to tend the daemon': 'operator auditor admin',
  'to audit': 'auditor admin',
  'to administrate': 'admin',
  'to read in a repo': 'auditor admin repo-read repo-write repo-publish repo-admin',
  'to see what is being written in a repo': 'auditor admin repo-write repo-publish repo-admin',
  'to write in a repo': 'admin repo-write repo-publish repo-admin',
  'to publish in a repo': 'admin repo-publish repo-admin',
  'to administrate a repo': 'admin repo-admin',
} as const;

/** What each route does: written by hand, so that a role in the contract that is wrong is told by this test. */
const routes: Readonly<Record<string, keyof typeof letIn | 'open'>> = {
  submitRun: 'to work on runs',
  listRuns: 'to read runs',
  getRun: 'to read runs',
  listSteps: 'to read runs',
  getReceipt: 'to read runs',
  cancelRun: 'to work on runs',
  pauseRun: 'to work on runs',
  resumeRun: 'to work on runs',
  answerApproval: 'to work on runs',
  signalRun: 'to work on runs',
  followEvents: 'to read runs',
  listTools: 'to read runs',
  getTool: 'to read runs',
  makeToken: 'to administrate',
  listTokens: 'to audit',
  changeRoles: 'to administrate',
  revokeToken: 'to administrate',
  makeRepo: 'to administrate',
  listRepos: 'with any token',
  getRepo: 'to read in a repo',
  deleteRepo: 'to administrate a repo',
  headUpload: 'to see what is being written in a repo',
  startUpload: 'to write in a repo',
  getUpload: 'to see what is being written in a repo',
  finishUpload: 'to write in a repo',
  discardUpload: 'to write in a repo',
  appendToUpload: 'to write in a repo',
  putBlob: 'to write in a repo',
  getBlob: 'to read in a repo',
  headBlob: 'to read in a repo',
  getFile: 'to read in a repo',
  headFile: 'to read in a repo',
  createDraft: 'to write in a repo',
  listDrafts: 'to read in a repo',
  deleteDraft: 'to write in a repo',
  addEntries: 'to write in a repo',
  listEntries: 'to read in a repo',
  removeEntry: 'to write in a repo',
  putManifest: 'to write in a repo',
  getManifest: 'to read in a repo',
  listPackages: 'to read in a repo',
  getPackage: 'to read in a repo',
  listVersions: 'to read in a repo',
  resolveVersion: 'to read in a repo',
  getVersion: 'to read in a repo',
  publishWhole: 'to publish in a repo',
  publishVersion: 'to publish in a repo',
  tombstoneVersion: 'to publish in a repo',
  getAttestation: 'to read in a repo',
  listTags: 'to read in a repo',
  getTag: 'to read in a repo',
  setTag: 'to publish in a repo',
  removeTag: 'to publish in a repo',
  makeRule: 'to administrate a repo',
  listRules: 'to read in a repo',
  removeRule: 'to administrate a repo',
  makeRuleEverywhere: 'to administrate',
  listRulesEverywhere: 'to audit',
  removeRuleEverywhere: 'to administrate',
  listQuarantine: 'to read in a repo',
  listAudit: 'to audit',
  makeWebhook: 'to administrate',
  listWebhooks: 'to audit',
  removeWebhook: 'to administrate',
  listDeliveries: 'to audit',
  redeliver: 'to administrate',
  getCapabilities: 'with any token',
  getMetrics: 'to tend the daemon',
  getHealth: 'open',
  getReadiness: 'open',
  getOpenApi: 'open',
  getDocumentation: 'open',
};

const inPath: Readonly<Record<string, string>> = { runId: 'run-20200101-000000-0123abcd', repoKey: 'local' };

function addressOf({ path }: DeclaredRoute, repoKey = 'local'): string {
  const known: Readonly<Record<string, string>> = { ...inPath, repoKey };
  return path.replace(/\{\+?(\w+)\}/g, (_, name: string) => known[name] ?? 'x').replace('/events', '/events?since=0');
}

const ofRepo = ({ path }: DeclaredRoute) => path.includes('{repoKey}');

/** A package in `local`, so that whoever may delete the repo still does not. */
async function keepLocal({ process }: TestServer): Promise<void> {
  const at = { created_at: 0, created_by: 'test' };
  await process.engine.store.write(async (tx) => {
    const row = { id: 'pkg_0123456789abcdef', repo: 'local', type: 'generic', name: 'kept', events: 0, ...at };
    await tx.db.insertInto('package').values(row).execute();
    const version = {
      id: 'ver_0123456789abcdef',
      package: row.id,
      repo: 'local',
      version: '1',
      state: 'draft',
    } as const;
    await tx.db
      .insertInto('version')
      .values({ ...version, ...at })
      .execute();
  });
}

async function outcome(
  server: TestServer,
  route: DeclaredRoute,
  asked: Parameters<TestServer['ask']>[2],
  repo = 'local',
) {
  const answer = await server.ask(route.method, addressOf(route, repo), asked);
  const problem = problemSchema.safeParse(answer.json);
  return { answer, status: answer.status, problem: problem.data ?? null };
}

test('G20 D22 every route lets in who may use it and nobody else: all routes times all tokens', async () => {
  await using server = await openTestServer({ works: false });
  await keepLocal(server);
  const declared = declaredRoutes();
  expect(Object.keys(routes).sort()).toEqual(declared.map(({ operationId }) => operationId).sort());
  const revoked = await server.parts.tokens.make({ name: 'revoked', role: 'admin' }, 'test');
  await server.parts.tokens.revoke(revoked.id, 'test');
  const nobodies = {
    'no token': {},
    'an unknown token': { authorization: `Bearer wb_${'A'.repeat(43)}` },
    'a revoked token': { authorization: `Bearer ${revoked.token}` },
    'another scheme': { authorization: `Basic ${revoked.token}` },
  };
  const counts = { 401: 0, 403: 0, 404: 0, allowed: 0 };
  for (const route of declared) {
    const kind = routes[route.operationId] ?? 'open';
    const { method, operationId } = route;
    for (const [name, headers] of Object.entries(nobodies)) {
      const { answer, status, problem } = await outcome(server, route, { as: null, headers });
      const what = `${name}: ${operationId} -> ${status}`;
      if (kind === 'open') {
        expect(status, what).not.toBe(401);
        counts.allowed++;
        continue;
      }
      expect(status, what).toBe(401);
      if (method !== 'HEAD') expect(problem, what).toMatchObject({ code: 'unauthorized' });
      expect(answer.headers['www-authenticate']).toBe('Bearer realm="waybill"');
      counts[401]++;
    }
    for (const as of testTokens) {
      const { status, problem } = await outcome(server, route, { as });
      const what = `${as}: ${operationId} -> ${status} ${problem?.code ?? ''}`;
      if (kind === 'open' || letIn[kind].split(' ').includes(as)) {
        expect([401, 403], what).not.toContain(status);
        expect(problem?.code, what).not.toBe('repo_not_found');
        counts.allowed++;
      } else if (ofRepo(route) && hasNothingIn(as)) {
        expect(status, what).toBe(404);
        if (method !== 'HEAD') expect(problem, what).toMatchObject({ code: 'repo_not_found' });
        counts[404]++;
      } else {
        expect(status, what).toBe(403);
        if (method !== 'HEAD') expect(problem, what).toMatchObject({ code: 'forbidden' });
        counts[403]++;
      }
    }
  }
  const checked = declared.length * (Object.keys(nobodies).length + testTokens.length);
  expect(counts[401] + counts[403] + counts[404] + counts.allowed).toBe(checked);
  console.log(`${declared.length} routes, ${checked} combinations:`, counts);
  const open = declared.filter(({ role }) => role === 'open').map(({ path }) => path);
  expect(open.sort()).toEqual(['/docs', '/healthz', '/openapi.json', '/readyz']);
  expect(
    declared.filter((route) => (route.role === 'open' ? false : route.role.startsWith('repo.'))).every(ofRepo),
  ).toBe(true);
  expect(declared.filter(ofRepo).every(({ role }) => role.startsWith('repo.'))).toBe(true);
});

function hasNothingIn(as: TestToken): boolean {
  return ['runner', 'operator', 'elsewhere'].includes(as);
}

test('G20 a repo that is not mine looks like one that does not exist, on every route', async () => {
  await using server = await openTestServer({ works: false });
  await server.token('elsewhere');
  let compared = 0;
  for (const route of declaredRoutes().filter(ofRepo)) {
    for (const as of ['runner', 'operator', 'repo-admin', 'elsewhere'] as const) {
      const hidden = as === 'repo-admin' ? 'elsewhere' : 'local';
      const there = await outcome(server, route, { as }, hidden);
      const nowhere = await outcome(server, route, { as }, 'nowhere');
      expect([there.status, nowhere.status], `${as}: ${route.operationId}`).toEqual([404, 404]);
      expect(told(there.answer, hidden), `${as}: ${route.operationId}`).toEqual(told(nowhere.answer, 'nowhere'));
      compared++;
    }
  }
  console.log(`compared ${compared} pairs of answers`);
});

/** All of an answer that could tell one repo from another: its headers and its body, with the key taken out. */
function told({ headers, text }: Awaited<ReturnType<TestServer['ask']>>, key: string): unknown {
  const { date: _, traceparent: __, 'content-length': ___, ...rest } = headers;
  const body = text.replaceAll(key, 'KEY').replace(/"(errorId|correlationId)":"[^"]*"/g, '"$1":"ID"');
  return { headers: rest, body };
}

test('G20 what is forbidden in a repo, hidden or not, is in the audit with who asked and the correlation id', async () => {
  await using server = await openTestServer({ works: false });
  const route = declaredRoutes().find(({ operationId }) => operationId === 'publishVersion');
  if (route === undefined) throw new Error('no such route');
  const refused = [];
  for (const as of ['elsewhere', 'repo-read'] as const) {
    const { problem } = await outcome(server, route, { as });
    refused.push({
      actor: `token:the-${as}`,
      resource: `${route.method} ${route.path}`,
      reason: 'forbidden',
      correlation_id: problem?.correlationId,
      details: '{"repo":"local"}',
    });
  }
  const rows = await server.process.engine.store.read((tx) =>
    tx.db
      .selectFrom('audit')
      .select(['actor', 'resource', 'reason', 'correlation_id', 'details'])
      .where('action', '=', 'request.refused')
      .orderBy('id')
      .execute(),
  );
  expect(rows).toEqual(refused);
});
