import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { runAnswerSchema } from '../src/contract/api/runs.ts';
import { madeTokenSchema } from '../src/contract/api/tokens.ts';
import { madeWebhookSchema } from '../src/contract/api/webhooks.ts';
import { defineWorkflow } from '../src/contract/define.ts';
import { publishVersion } from '../src/domain/registry/publish/publish-version.ts';
import { arrangeDraft } from '../src/domain/registry/testing/arrange-draft.ts';
import { handOver } from '../src/domain/workspace/webhooks/hand-over.ts';
import { digestOf } from '../src/platform/digests/digest.ts';
import { outboxStatement } from '../src/platform/journal/outbox.ts';
import {
  type Answer,
  type AskOptions,
  openTestServer,
  type TestServer,
} from '../src/surfaces/http/testing/open-test-server.ts';

const media = z.object({
  content: z.record(z.string(), z.object({ schema: z.unknown() })).default({}),
  headers: z.record(z.string(), z.object({ required: z.boolean().default(false) })).default({}),
});
const documentSchema = z.object({
  paths: z.record(
    z.string(),
    z.record(
      z.string(),
      z.object({
        operationId: z.string(),
        responses: z.record(z.string(), media.extend({ 'x-waybill-codes': z.array(z.string()).default([]) })),
      }),
    ),
  ),
  components: z.record(z.string(), z.json()),
});
const document = documentSchema.parse(
  JSON.parse(readFileSync(join(import.meta.dirname, '../openapi/v1.json'), 'utf8')),
);

/** Compares answers with the document; knows which statuses it has seen of which operations. */
class Judge {
  readonly answered = new Set<string>();
  readonly #ajv = new Ajv2020({ strict: false, allErrors: true });
  readonly #shapes = new Map<string, ValidateFunction>();

  constructor() {
    formats.default(this.#ajv);
    this.#ajv.addSchema({ $id: 'urn:waybill:document', components: document.components });
  }

  judge(method: string, path: string, answer: Answer): void {
    const place = `${method} ${path}`;
    const operation = document.paths[templateOf(path)]?.[method.toLowerCase()];
    if (operation === undefined) throw new Error(`${place} is in no document`);
    const { status } = answer;
    this.answered.add(`${operation.operationId} ${status}`);
    const declared = operation.responses[String(status)];
    if (declared === undefined) throw new Error(`${place} answered ${status}, which is not declared: ${answer.text}`);
    const needed = Object.entries(declared.headers).filter(([, header]) => header.required);
    for (const [name] of needed) expect(answer.headers, place).toHaveProperty([name]);
    const type = `${answer.headers['content-type'] ?? ''}`.split(';')[0] ?? '';
    const types = Object.keys(declared.content);
    if (types.length === 0) {
      expect(answer.text, place).toBe('');
      return;
    }
    expect(types, place).toContain(type);
    for (const value of valuesOf(type, answer)) {
      const validate = this.#shape(JSON.stringify(declared.content[type]?.schema));
      expect(validate(value), `${place} ${status}: ${this.#ajv.errorsText(validate.errors)} in ${answer.text}`).toBe(
        true,
      );
    }
    if (type !== 'application/problem+json') return;
    const { code } = z.object({ code: z.string() }).parse(answer.json);
    expect(declared['x-waybill-codes'], `${place} ${status}`).toContain(code);
  }

  #shape(schema: string): ValidateFunction {
    const known = this.#shapes.get(schema);
    if (known !== undefined) return known;
    const absolute = z
      .record(z.string(), z.json())
      .parse(JSON.parse(schema.replaceAll('"#/', '"urn:waybill:document#/')));
    const compiled = this.#ajv.compile(absolute);
    this.#shapes.set(schema, compiled);
    return compiled;
  }
}

function templateOf(path: string): string {
  const [plain = ''] = path.split('?');
  const parts = plain.split('/');
  const fits = (template: string) => {
    const own = template.split('/');
    return own.length === parts.length && own.every((part, index) => part.startsWith('{') || part === parts[index]);
  };
  return Object.keys(document.paths).find(fits) ?? plain;
}

function valuesOf(type: string, { text, json }: Answer): unknown[] {
  if (type === 'application/x-ndjson')
    return text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  if (type === 'text/event-stream')
    return [...text.matchAll(/^data: (.*)$/gm)].map(([, line = '']) => JSON.parse(line));
  return [json ?? text];
}

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

type Ask = (method: string, path: string, options?: AskOptions) => Promise<Answer>;

/** Blobs, uploads and the files of a version. */
async function askForBytes(server: TestServer, ask: Ask): Promise<void> {
  const admin = { as: 'admin' } as const;
  const sent = (body: string, headers: Readonly<Record<string, string>> = {}) => {
    return { ...admin, body, headers: { 'content-type': 'application/octet-stream', ...headers } };
  };
  const [blob, other] = ['some bytes', 'other bytes'].map((text) => `/v1/repos/local/blobs/${digestOf(text)}`);
  for (const body of ['some bytes', 'some bytes', 'wrong bytes']) await ask('PUT', `${blob}`, sent(body));
  await ask('PUT', '/v1/repos/local/blobs/nonsense', sent('some bytes'));
  await ask('PUT', `${blob}`, { ...sent('some bytes'), as: 'auditor' });
  await ask('PUT', '/v1/repos/nowhere/blobs/nonsense', sent('some bytes'));
  const etag = `"${digestOf('some bytes')}"`;
  for (const headers of [
    {},
    { range: 'bytes=1-3' },
    { range: 'bytes=99-' },
    { 'if-none-match': etag },
    { 'if-match': '"other"' },
  ]) {
    await ask('GET', `${blob}`, { ...admin, headers });
  }
  await ask('GET', `${other}`, admin);
  for (const headers of [{}, { 'if-none-match': etag }]) await ask('HEAD', `${blob}`, { ...admin, headers });

  const begin = async (body: unknown) => {
    return (await ask('POST', '/v1/repos/local/uploads', { ...admin, body })).headers.location ?? '';
  };
  const upload = await begin({ size: 11 });
  await begin({ size: -1 });
  await ask('PATCH', upload, sent('other ', { 'upload-offset': '0' }));
  await ask('PATCH', upload, sent('other ', { 'upload-offset': '0' }));
  await ask('PATCH', upload, sent('other '));
  await ask('PUT', `${upload}?digest=${digestOf('other bytes')}`, admin);
  await ask('PATCH', upload, sent('bytes', { 'upload-offset': '6' }));
  await ask('GET', upload, admin);
  await ask('HEAD', upload, admin);
  for (const digest of ['', `?digest=${digestOf('other bytes')}`, '']) await ask('PUT', `${upload}${digest}`, admin);
  const discarded = await begin({});
  for (let time = 0; time < 2; time++) await ask('DELETE', discarded, admin);

  const whole = (content: string, version = '1.0.0') => {
    const manifest = { content: Buffer.from('{}').toString('base64') };
    return { type: 'generic', name: 'whole', version, files: [{ path: 'a', content }], manifest };
  };
  for (const body of [whole('Cg=='), whole('Cg=='), whole('Cgo='), whole('?'), whole('Cg==', 'a b')]) {
    await ask('POST', '/v1/repos/local/packages/versions', { ...admin, body });
  }

  const { registry } = server.parts;
  await publishVersion(registry, await arrangeDraft(registry, { name: 'bytes', files: { 'a/b': 'x' } }), 'test');
  const file = '/v1/repos/local/packages/generic/bytes/versions/1.0.0/files/a%2Fb';
  for (const path of [file, file.replace('a%2Fb', 'c'), file.replace('1.0.0', '2')]) await ask('GET', path, admin);
  await ask('GET', file, { ...admin, headers: { range: 'bytes=0-0' } });
  await ask('HEAD', file, admin);
}

/** The audit, webhooks and their deliveries; nothing of it leaves this process. */
async function askForNews({ parts: { webhooks } }: TestServer, ask: Ask): Promise<void> {
  const admin = { as: 'admin' } as const;
  for (const query of [
    '',
    '?limit=1',
    '?action=repo.made&since=2026-01-01T00:00:00Z',
    '?action=nothing',
    '?cursor=x',
  ]) {
    await ask('GET', `/v1/audit${query}`, { as: 'auditor' });
  }
  await ask('GET', '/v1/audit', { as: 'runner' });
  const body = { url: 'https://ci.example.com/hooks' };
  const made = madeWebhookSchema.parse((await ask('POST', '/v1/webhooks', { ...admin, body })).json);
  for (const other of [body, { url: '' }]) await ask('POST', '/v1/webhooks', { ...admin, body: other });
  const event = { aggregate: 'package:pkg_1', seq: 1, type: 'dev.waybill.test', payload: {}, at: webhooks.clock.now() };
  await webhooks.store.submit({ statements: [outboxStatement([event])] });
  await handOver(webhooks);
  await ask('GET', '/v1/webhooks', admin);
  const path = `/v1/webhooks/${made.id}`;
  for (const query of ['', '?state=dead', '?state=lost']) await ask('GET', `${path}/deliveries${query}`, admin);
  for (const id of ['package:pkg_1-1', 'package%3Apkg_1-1', 'nobody-1']) {
    await ask('POST', `${path}/deliveries/${id}/redeliver`, admin);
  }
  for (let time = 0; time < 2; time++) await ask('DELETE', path, admin);
  await ask('GET', `${path}/deliveries`, admin);
}

test('every route answers what the document says: status, media type, shape and code', async () => {
  const configuration = { registry: { gates: [] } };
  await using server = await openTestServer({ workflows: [waits, asks, fails], configuration });
  const judge = new Judge();
  const ask = async (method: string, path: string, options: AskOptions = {}) => {
    const answer = await server.ask(method, path, options);
    judge.judge(method, path, answer);
    return answer;
  };
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
  await ask('GET', '/v1/tokens', admin);
  const grant = (repo: string) => ({ ...admin, body: { repos: [{ repo, role: 'read' }] } });
  for (const repo of ['local', 'nowhere', '']) await ask('PATCH', `/v1/tokens/${id}/roles`, grant(repo));
  await ask('PATCH', '/v1/tokens/tok_0000000000000000/roles', grant('local'));
  await ask('PATCH', `/v1/tokens/${id}/roles`, { body: {} });
  await ask('DELETE', `/v1/tokens/${id}`, admin);
  await ask('PATCH', `/v1/tokens/${id}/roles`, grant('local'));
  await ask('DELETE', '/v1/tokens/tok_0000000000000000', admin);

  await askForBytes(server, ask);
  await askForNews(server, ask);

  const operations = Object.values(document.paths).flatMap((item) =>
    Object.values(item).map((each) => each.operationId),
  );
  expect(operations.length).toBeGreaterThan(20);
  expect(judge.answered.size).toBeGreaterThan(50);
  const answered = [...judge.answered];
  expect(operations.filter((each) => !answered.some((one) => one.startsWith(`${each} 2`)))).toEqual([]);
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
