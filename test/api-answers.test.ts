import { expect, test } from 'vitest';
import { madeRuleSchema } from '../src/contract/api/policy.ts';
import { runAnswerSchema } from '../src/contract/api/runs.ts';
import { madeTokenSchema } from '../src/contract/api/tokens.ts';
import { madeWebhookSchema } from '../src/contract/api/webhooks.ts';
import { defineWorkflow } from '../src/contract/define.ts';
import { WaybillError } from '../src/contract/errors.ts';
import { giveBlob } from '../src/domain/registry/testing/give-blob.ts';
import { claimDeliveries } from '../src/domain/workspace/webhooks/claim-deliveries.ts';
import { deliver } from '../src/domain/workspace/webhooks/deliver.ts';
import { handOver } from '../src/domain/workspace/webhooks/hand-over.ts';
import { digestOf } from '../src/platform/digests/digest.ts';
import { outboxStatement } from '../src/platform/journal/outbox.ts';
import {
  type Answer,
  type AskOptions,
  openTestServer,
  type TestServer,
  type TestServerOptions,
} from '../src/surfaces/http/testing/open-test-server.ts';
import { Judge, operations } from './support/judge-answers.ts';

const waits = defineWorkflow('waits', async (run) => {
  const word = await run.signal('word');
  return { word };
});
const asks = defineWorkflow('asks', async (run) => {
  const { approved } = await run.approval('publish', { prompt: 'Publish?' });
  return { approved };
});
const fails = defineWorkflow('fails', async (run) => {
  await run.step('build', {}, () => Promise.reject(new Error('broken')));
  return null;
});

const judge = new Judge();
const judged =
  (server: TestServer) =>
  async (method: string, path: string, options: AskOptions = {}) => {
    const answer = await server.ask(method, path, options);
    judge.judge(method, path, answer);
    return answer;
  };
type Ask = ReturnType<typeof judged>;

test('routes of runs, tools and tokens answer what the document says: status, media type, shape and code', async () => {
  await using server = await openTestServer({ workflows: [waits, asks, fails] });
  const ask = judged(server);
  const submit = async (body: unknown, query = '?waitMs=10000') => {
    return runAnswerSchema.parse((await ask('POST', `/v1/runs${query}`, { body })).json);
  };
  const nobody = 'run-20260101-000000-00000000';

  const { runId } = await submit({ tool: 'echo', input: { a: [1, null, 'x'] } });
  await submit({ workflow: 'fails' });
  const asking = await submit({ workflow: 'asks' }, '');
  const waiting = await submit({ workflow: 'waits' }, '');
  for (const run of [waiting, asking]) {
    await expect.poll(async () => (await ask('GET', `/v1/runs/${run.runId}`)).json).toMatchObject({ state: 'waiting' });
  }
  const keyed = { body: { tool: 'echo' }, headers: { 'idempotency-key': 'k' } };
  for (const body of [{ tool: 'echo' }, { tool: 'echo' }, { tool: 'echo', input: 1 }]) {
    await ask('POST', '/v1/runs', { ...keyed, body });
  }
  for (const body of [{}, '{', { tool: 'nobody' }, { workflow: 'nobody' }, { tool: 'echo', priority: 1.5 }]) {
    await ask('POST', '/v1/runs', { body });
  }
  await ask('POST', '/v1/runs', { body: 'a=b', headers: { 'content-type': 'text/plain' } });
  await ask('POST', '/v1/runs', { body: { tool: 'echo' }, as: 'auditor' });
  await ask('POST', '/v1/runs', { body: { tool: 'echo' }, as: null });
  await ask('GET', '/v1/runs', { headers: { host: 'elsewhere.example' } });
  await ask('GET', '/v1/runs', { headers: { origin: 'https://elsewhere.example' } });

  for (const query of ['', '?limit=2', '?state=failed&state=succeeded', '?limit=0', '?cursor=nowhere', '?surprise=1']) {
    await ask('GET', `/v1/runs${query}`);
  }
  for (const id of [runId, waiting.runId, nobody, 'nonsense']) {
    for (const part of [
      '',
      '/steps',
      '/receipts/1',
      '/receipts/nobody',
      '/events',
      '/events?since=2',
      '/events?since=x',
    ]) {
      await ask('GET', `/v1/runs/${id}${part}`);
    }
  }
  await ask('GET', `/v1/runs/${runId}/events`, { headers: { accept: 'text/event-stream' } });
  await ask('GET', `/v1/runs/${runId}/events?follow=true`, {
    headers: { accept: 'text/event-stream', 'last-event-id': '99' },
  });
  await ask('GET', `/v1/runs/${waiting.runId}/events?follow=true&timeoutMs=20`);
  await ask('GET', `/v1/runs/${runId}/events`, { headers: { accept: 'image/png' } });

  const steer = async (id: string) => {
    await ask('POST', `/v1/runs/${id}/pause`);
    await ask('POST', `/v1/runs/${id}/approvals/nobody`, { body: { approved: true } });
    await ask('POST', `/v1/runs/${id}/approvals/publish`, { body: { approved: 'perhaps' } });
    await ask('POST', `/v1/runs/${id}/approvals/publish`, { body: { approved: true, comment: 'yes' } });
    await ask('POST', `/v1/runs/${id}/signals/word`, { body: { payload: { now: true } } });
    await ask('POST', `/v1/runs/${id}/resume`);
    await ask('POST', `/v1/runs/${id}/resume`, { body: { retryFailed: { reason: 'why not' } } });
    await ask('POST', `/v1/runs/${id}/cancel`, { body: { comment: 'enough' } });
    await ask('POST', `/v1/runs/${id}/cancel`);
  };
  for (const id of [waiting.runId, asking.runId, runId, nobody]) await steer(id);

  for (const path of ['/v1/tools', '/v1/tools/echo', '/v1/tools/nobody', '/v1/capabilities', '/metrics']) {
    for (const as of ['runner', 'operator', null] as const) await ask('GET', path, { as });
  }
  for (const path of ['/healthz', '/readyz', '/openapi.json', '/docs']) await ask('GET', path, { as: null });

  const admin = { as: 'admin' } as const;
  const made = await ask('POST', '/v1/tokens', { ...admin, body: { name: 'page', role: 'auditor' } });
  const { id } = madeTokenSchema.parse(made.json);
  await ask('POST', '/v1/tokens', { ...admin, body: { name: 'page', role: 'auditor' } });
  await ask('POST', '/v1/tokens', { body: { name: 'other', role: 'auditor' } });
  for (const as of ['admin', 'runner'] as const) await ask('GET', '/v1/tokens', { as });
  const grant = (repo: string) => ({ ...admin, body: { repos: [{ repo, role: 'read' }] } });
  for (const repo of ['local', 'nowhere', '']) await ask('PATCH', `/v1/tokens/${id}/roles`, grant(repo));
  await ask('PATCH', '/v1/tokens/tok_0000000000000000/roles', grant('local'));
  await ask('PATCH', `/v1/tokens/${id}/roles`, { body: {} });
  await ask('DELETE', `/v1/tokens/${id}`, admin);
  await ask('PATCH', `/v1/tokens/${id}/roles`, grant('local'));
  await ask('DELETE', '/v1/tokens/tok_0000000000000000', admin);
});

const local = '/v1/repos/local';
const versions = `${local}/packages/versions`;
const nowhere = digestOf('nowhere');
const noVersion = 'ver_0000000000000000';
const asBytes = { 'content-type': 'application/octet-stream' };
const coordinate = { type: 'generic', name: 'tool', version: '1.0.0' };

test('routes of repos and blobs answer what the document says', async () => {
  await using server = await openTestServer({ works: false, configuration: { registry: { maxBlobBytes: 1_000 } } });
  const ask = judged(server);
  const admin = { as: 'admin' } as const;
  for (const body of [{ key: 'other' }, { key: 'other' }, { key: 'NO' }, {}]) {
    await ask('POST', '/v1/repos', { ...admin, body });
  }
  await ask('POST', '/v1/repos', { as: 'repo-admin', body: { key: 'mine' } });
  for (const query of ['', '?limit=1', '?limit=0', '?cursor=nowhere']) await ask('GET', `/v1/repos${query}`);
  for (const path of ['/v1/repos/other', '/v1/repos/nowhere', '/v1/repos/NO', local]) {
    for (const as of ['admin', 'repo-read', null] as const) await ask('GET', path, { as });
  }

  const digest = digestOf('bytes');
  const blob = `${local}/blobs/${digest}`;
  const as = 'repo-write';
  for (const body of ['bytes', 'bytes', 'byte', ' '.repeat(1_001)]) {
    await ask('PUT', blob, { as, body, headers: asBytes });
  }
  await ask('PUT', blob, { as, body: 'bytes', headers: { ...asBytes, 'content-encoding': 'gzip' } });
  for (const path of [blob, `${local}/blobs/x`]) {
    await ask('PUT', path, { as: 'repo-read', body: 'bytes', headers: asBytes });
  }
  await ask('PUT', `${local}/blobs/x`, { as, body: 'bytes', headers: asBytes });
  const etag = `"${digest}"`;
  for (const path of [blob, `${local}/blobs/${nowhere}`, `${local}/blobs/x`, `/v1/repos/nowhere/blobs/${digest}`]) {
    for (const method of ['GET', 'HEAD']) {
      for (const headers of [{}, { range: 'bytes=1-2' }, { range: 'bytes=9-' }, { 'if-none-match': etag }]) {
        await ask(method, path, { as, headers });
      }
      await ask(method, path, { as, headers: { 'if-match': '"other"' } });
      await ask(method, path, { as: null });
    }
  }
  await uploads(ask, 'bytes');
  await ask('DELETE', '/v1/repos/other', admin);
  for (const key of ['other', 'local']) await ask('DELETE', `/v1/repos/${key}`, admin);
  await ask('POST', `${versions}/drafts`, { as, body: coordinate });
  await ask('DELETE', local, { as: 'repo-admin' });
});

/** Every way an upload begins, goes on and ends. */
async function uploads(ask: Ask, text: string): Promise<void> {
  const as = 'repo-write';
  const digest = digestOf(text);
  const started = async (body?: unknown) => {
    const answer = await ask('POST', `${local}/uploads`, body === undefined ? { as } : { as, body });
    return answer.headers.location ?? '';
  };
  const append = (at: string, offset: string | null, body: string) => {
    const headers = { ...asBytes, ...(offset === null ? {} : { 'upload-offset': offset }) };
    return ask('PATCH', at, { as, body, headers });
  };
  for (const body of [{ size: -1 }, { digest: 'x' }, { size: 10 ** 12 }]) await started(body);
  await ask('POST', `${local}/uploads`, { as: 'repo-read', body: {} });
  const whole = await started({ digest, size: text.length });
  for (const offset of [null, 'x', '7']) await append(whole, offset, text);
  await append(whole, '0', text.slice(0, 2));
  await ask('PUT', whole, { as });
  await append(whole, '2', `${text} and more`);
  await append(whole, '2', text.slice(2));
  const gone = `${local}/uploads/upl_${'0'.repeat(32)}`;
  for (const at of [whole, gone, `${local}/uploads/x`]) {
    for (const method of ['GET', 'HEAD']) await ask(method, at, { as });
    await ask('PUT', at, { as });
    await append(at, '0', text);
    await ask('DELETE', at, { as });
  }
  const other = await started();
  await append(other, '0', `new ${text}`);
  await ask('PUT', other, { as });
  await ask('PUT', `${other}?digest=x`, { as });
  await ask('PUT', `${other}?digest=${digestOf(`new ${text}`)}`, { as });
  const wrong = await started();
  await append(wrong, '0', 'wrong');
  await ask('PUT', `${wrong}?digest=${digest}`, { as });
  await ask('DELETE', await started(), { as });
}

test('routes of drafts, entries and manifests answer what the document says', async () => {
  await using server = await openTestServer({ works: false });
  const ask = judged(server);
  const as = 'repo-publish';
  const blob = await giveBlob(server.parts.registry, 'x');
  const good = { entries: [{ path: 'a', ...blob }] };
  const made = await ask('POST', `${versions}/drafts`, { as, body: coordinate });
  const at = made.headers.location ?? '';
  const missing = { entries: [{ path: 'b', digest: digestOf('no'), size: 2 }] };
  const sized = { entries: [{ path: 'b', ...blob, size: 2 }] };
  const summed = { entries: [{ path: 'b', ...blob, checksums: { sha256: '0'.repeat(64) } }] };
  const run = 'run-20260101-000000-00000000';
  const changes = [{}, { name: '' }, { run }, { version: '2', run }, missing, sized, summed, { type: 1 }];
  for (const change of changes) await ask('POST', `${versions}/drafts`, { as, body: { ...coordinate, ...change } });
  for (const query of ['', '?limit=0', '?cursor=x', '?type=npm'])
    await ask('GET', `${versions}/drafts${query}`, { as });
  const manifests = [
    ['{', 'application/json'],
    ['[]', 'application/json'],
    ['{}', 'text/plain'],
    [' '.repeat(1_048_577), 'application/json'],
    ['{}', 'application/json'],
  ] as const;
  for (const where of [at, `${versions}/${noVersion}`, `${versions}/nonsense`]) {
    await ask('GET', where, { as });
    await ask('POST', `${where}/publish`, { as });
    for (const body of [good, missing, sized, summed, { entries: 1 }]) {
      await ask('POST', `${where}/entries`, { as, body });
    }
    for (const query of ['', '?limit=0', '?cursor=x']) await ask('GET', `${where}/entries${query}`, { as });
    await ask('POST', `${where}/publish`, { as });
    await ask('GET', `${where}/manifest`, { as });
    for (const [body, type] of manifests) {
      await ask('PUT', `${where}/manifest`, { as, body, headers: { 'content-type': type } });
    }
    const known = await ask('GET', `${where}/manifest`, { as });
    await ask('GET', `${where}/manifest`, { as, headers: { 'if-none-match': `${known.headers.etag}` } });
    for (let n = 0; n < 2; n++) await ask('DELETE', `${where}/entries/a`, { as });
    await ask('POST', `${where}/entries`, { as, body: good });
    for (const body of [{ digest: nowhere }, { digest: 'x' }, {}, {}, { digest: nowhere }]) {
      await ask('POST', `${where}/publish`, { as, body });
    }
    await ask('POST', `${where}/entries`, { as, body: good });
    await ask('DELETE', `${where}/entries/a`, { as });
    await ask('PUT', `${where}/manifest`, { as, body: '{}' });
    await ask('DELETE', where, { as });
  }
  await ask('POST', `${versions}/drafts`, { as, body: coordinate });
  const second = await ask('POST', `${versions}/drafts`, { as, body: { ...coordinate, version: '2' } });
  await ask('DELETE', second.headers.location ?? '', { as });
  for (const nobody of ['elsewhere', null] as const) {
    await ask('POST', `${versions}/drafts`, { as: nobody, body: coordinate });
  }
});

test('routes of versions, packages, tags, rules and the audit answer what the document says', async () => {
  await using server = await openTestServer({ works: false });
  const ask = judged(server);
  const as = 'repo-publish';
  const whole = (version: string, text: string) => ({
    ...{ ...coordinate, version },
    files: [{ path: 'bin/tool', content: Buffer.from(text).toString('base64'), mediaType: 'text/x-sh' }],
    manifest: { content: Buffer.from('{}').toString('base64') },
  });
  const first = await ask('POST', versions, { as, body: whole('1.0.0', 'one') });
  const at = first.headers.location ?? '';
  const bodies = [
    whole('1.0.0', 'one'),
    whole('1.0.0', 'two'),
    whole('2.0.0', 'two'),
    { ...whole('3', 'x'), name: '' },
  ];
  for (const body of [...bodies, { ...whole('3', 'x'), manifest: { content: 'WzFd' } }, {}]) {
    await ask('POST', versions, { as, body });
  }
  await ask('POST', versions, { as: 'repo-write', body: whole('3', 'x') });
  await ask('POST', `${versions}/drafts`, { as, body: { ...coordinate, version: '3' } });
  await ask('POST', versions, { as, body: whole('3', 'x') });

  const attested = await attestedDraft(server, ask);
  for (const where of [at, attested, `${versions}/${noVersion}`, `${versions}/x`]) {
    for (const part of ['', '/attestation', '/manifest', '/entries']) await ask('GET', `${where}${part}`, { as });
  }
  const tool = `${local}/packages/generic/tool`;
  for (const query of ['', '?limit=1', '?limit=0', '?type=generic&prefix=t', '?type=NO', '?cursor=x']) {
    await ask('GET', `${local}/packages${query}`, { as });
    await ask('GET', `${tool}/versions${query}`, { as });
  }
  await ask('GET', `${tool}/versions?state=published&state=draft`, { as });
  for (const path of [tool, `${local}/packages/npm/nobody`, `${local}/packages/NO/x`]) {
    await ask('GET', path, { as });
    for (const part of ['/versions', '/versions/1.0.0', '/versions/9', '/tags', '/tags/latest', '/tags/nobody']) {
      await ask('GET', `${path}${part}`, { as });
    }
    for (const version of ['1.0.0', '1.0.0', '2.0.0', '3', '9']) {
      await ask('PUT', `${path}/tags/stable`, { as, body: { version } });
    }
    await ask('PUT', `${path}/tags/v1`, { as, body: { version: '1.0.0' } });
    await ask('PUT', `${path}/tags/stable`, { as, body: {} });
    for (let n = 0; n < 2; n++) await ask('DELETE', `${path}/tags/stable`, { as });
    await files(ask, path);
  }
  await rules(ask, tool);

  const why = { reason: 'wrong key' };
  for (const body of [why, why, {}]) await ask('POST', `${at}/tombstone`, { as, body });
  const draft = await ask('POST', `${versions}/drafts`, { as, body: { ...coordinate, version: '4' } });
  for (const where of [draft.headers.location, `${versions}/${noVersion}`]) {
    await ask('POST', `${where}/tombstone`, { as, body: why });
  }
  await ask('POST', `${at}/publish`, { as });
  await ask('POST', versions, { as, body: whole('1.0.0', 'one') });
  await ask('POST', `${versions}/drafts`, { as, body: coordinate });
  await ask('PUT', `${tool}/tags/stable`, { as, body: { version: '1.0.0' } });
  await files(ask, tool);

  for (const query of [
    '',
    '?limit=2',
    '?outcome=refused',
    '?since=2026-01-01T00:00:00Z',
    '?since=x',
    '?action=x',
    '?cursor=x',
  ]) {
    for (const who of ['auditor', 'admin', 'runner'] as const) await ask('GET', `/v1/audit${query}`, { as: who });
  }
});

/** Where a draft is that has an attestation, as publishing what a run made gives it one. */
async function attestedDraft(server: TestServer, ask: Ask): Promise<string> {
  const body = { ...coordinate, version: '0.9.0' };
  const { headers } = await ask('POST', `${versions}/drafts`, { as: 'repo-write', body });
  const at = headers.location ?? '';
  const signatures = [{ keyid: 'key', sig: '' }];
  const envelope = JSON.stringify({ payload: 'e30=', payloadType: 'application/vnd.in-toto+json', signatures });
  await server.process.engine.store.write(async (tx) => {
    const row = { version: at.split('/').at(-1) ?? '', envelope, key_id: 'key', digest: digestOf(envelope) };
    await tx.db.insertInto('version_attestation').values(row).execute();
  });
  return at;
}

async function files(ask: Ask, path: string): Promise<void> {
  const as = 'repo-read';
  for (const method of ['GET', 'HEAD']) {
    const of = (name: string) => `${path}/versions/1.0.0/files/${name}`;
    const { headers: found } = await ask(method, of('bin/tool'), { as });
    const conditions = [{ range: 'bytes=0-0' }, { range: 'bytes=99-' }, { 'if-match': '"other"' }];
    for (const headers of [...conditions, { 'if-none-match': `${found.etag}` }]) {
      await ask(method, of('bin/tool'), { as, headers });
    }
    for (const name of ['bin%2Ftool', 'nothing']) await ask(method, of(name), { as });
    await ask(method, of('bin/tool'), { as: null });
    await ask(method, `${path}/versions/9/files/bin/tool`, { as });
  }
}

async function rules(ask: Ask, tool: string): Promise<void> {
  const rule = { kind: 'name', parameters: { pattern: 'generic:tool' }, blocks: 'both', reason: 'looked at' };
  const places = [
    { path: `${local}/rules`, as: 'repo-admin', reader: 'repo-read' },
    { path: '/v1/rules', as: 'admin', reader: 'auditor' },
  ] as const;
  for (const { path, as, reader } of places) {
    const made = await ask('POST', path, { as, body: rule });
    for (const body of [rule, { ...rule, kind: 'nobody' }, { ...rule, parameters: {} }, {}]) {
      await ask('POST', path, { as, body });
    }
    await ask('POST', path, { as: 'repo-publish', body: rule });
    await files(ask, tool);
    await ask('GET', `${tool}/versions/1.0.0`, { as: 'repo-read' });
    const small = { ...coordinate, version: '5', files: [{ path: 'a', content: '' }], manifest: { content: 'e30=' } };
    await ask('POST', versions, { as: 'repo-publish', body: small });
    for (const query of ['', '?limit=1', '?limit=0', '?released=true', '?cursor=x']) {
      await ask('GET', `${local}/quarantine${query}`, { as: 'repo-read' });
    }
    for (const query of ['', '?removed=true', '?removed=x', '?limit=0', '?cursor=x']) {
      await ask('GET', `${path}${query}`, { as: reader });
    }
    const { ruleId } = madeRuleSchema.parse(made.json).rule;
    for (const id of [ruleId, ruleId, 'rule_0000000000000000', 'x']) await ask('DELETE', `${path}/${id}`, { as });
  }
}

test('routes of webhooks answer what the document says', async () => {
  const port = {
    check: async (url: string) => {
      if (url.includes('10.0.0.1')) throw new WaybillError('webhook_refused', 'it is private');
      return new URL(url).href;
    },
    send: async () => ({ how: 'answered', status: 500, retryAfterMs: null }) as const,
  };
  const parts: TestServerOptions['parts'] = ({ webhooks }) => ({ webhooks: { ...webhooks, port } });
  await using server = await openTestServer({ works: false, parts });
  const ask = judged(server);
  const { webhooks } = server.parts;
  const as = 'admin';
  const body = { url: 'https://ci.example.com/hooks', types: ['dev.waybill.version.published'] };
  const made = madeWebhookSchema.parse((await ask('POST', '/v1/webhooks', { as, body })).json);
  for (const other of [body, { url: 'http://10.0.0.1/' }, { ...body, types: ['Not a type'] }, {}]) {
    await ask('POST', '/v1/webhooks', { as, body: other });
  }
  const event = {
    aggregate: 'package:thing',
    seq: 1,
    type: 'dev.waybill.version.published',
    payload: {},
    at: webhooks.clock.now(),
  };
  await webhooks.store.submit({ statements: [outboxStatement([event, { ...event, seq: 2 }])] });
  await handOver(webhooks);
  for (const claimed of await claimDeliveries(webhooks, made.id, 4)) await deliver(webhooks, claimed, 'test');
  for (const who of ['admin', 'auditor', 'runner'] as const) await ask('GET', '/v1/webhooks', { as: who });
  for (const id of [made.id, 'wh_0000000000000000', 'x']) {
    const at = `/v1/webhooks/${id}`;
    for (const query of ['', '?limit=1', '?limit=0', '?state=dead', '?state=x', '?cursor=x']) {
      await ask('GET', `${at}/deliveries${query}`, { as });
    }
    for (const event of ['package:thing-1', 'package%3Athing-2', 'package:thing-9', 'x'])
      await ask('POST', `${at}/deliveries/${event}/redeliver`, { as });
    for (let n = 0; n < 2; n++) await ask('DELETE', at, { as });
  }
});

test('the tests above met every route, with a success and with most of its problems', () => {
  const answered = [...judge.answered];
  expect(operations.length).toBeGreaterThan(60);
  expect(answered.length).toBeGreaterThan(250);
  expect(operations.filter((each) => !answered.some((one) => one.startsWith(`${each} 2`)))).toEqual([]);
  const failing = operations.filter(
    (each) => !['getHealth', 'getReadiness', 'getOpenApi', 'getDocumentation'].includes(each),
  );
  expect(failing.filter((each) => !answered.some((one) => one.startsWith(`${each} 4`)))).toEqual([]);
});

test('an answer the document does not know is found', () => {
  const judge = new Judge();
  const answer = (status: number, type: string, json: unknown): Answer => {
    return { status, headers: { 'content-type': type }, json, text: JSON.stringify(json) };
  };
  const health = { status: 'ok', version: '1' };
  judge.judge('GET', '/healthz', answer(200, 'application/json; charset=utf-8', health));
  const wrong = [
    answer(202, 'application/json', health),
    answer(200, 'text/plain', health),
    answer(200, 'application/json', { status: 'well' }),
    answer(500, 'application/problem+json', { code: 'run_not_found' }),
  ];
  for (const each of wrong) expect(() => judge.judge('GET', '/healthz', each), each.text).toThrow();
  const bare = answer(401, 'application/problem+json', { code: 'unauthorized' });
  expect(() => judge.judge('GET', '/v1/tools', bare)).toThrow(/www-authenticate/);
  expect(() => judge.judge('PUT', '/healthz', answer(200, 'application/json', health))).toThrow(/in no document/);
});
