import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { bothStores, dropDatabases } from '../../../test/support/both-stores.ts';
import { problemSchema } from '../../contract/api/problem.ts';
import { runAnswerSchema, runDetailSchema } from '../../contract/api/runs.ts';
import { type Answer, openTestServer, type TestServer, type TestServerOptions } from './testing/open-test-server.ts';

const asksForFiles = {
  type: 'object',
  required: ['files'],
  properties: { files: { type: 'array', items: { type: 'object', properties: { name: { type: 'string' } } } } },
};
/** Each execution adds a line to a file of the workspace. */
const counts = `import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
export default (input) => {
  appendFileSync(join(import.meta.dirname, 'executed'), 'x');
  return input;
};`;
const tools = {
  files: { source: 'export default () => null;', inputSchema: asksForFiles },
  counts: { source: counts },
  liar: { source: 'export default () => 7;', outputSchema: { type: 'string' } },
};

afterAll(dropDatabases);

describe.each(bothStores)('submitting over HTTP on %s', (_, where) => {
  const open = async (options: TestServerOptions = {}) => openTestServer({ tools, ...(await where()), ...options });

  test('D1 what is wrong with a request is said with code and path, and no run is made', async () => {
    await using server = await open();
    const wrong: readonly (readonly [unknown, string, readonly string[]])[] = [
      [{}, 'invalid_input', ['body.tool']],
      [{ tool: 'echo', workflow: 'tool' }, 'invalid_input', ['body.tool']],
      [{ tool: 7, priority: 'high' }, 'invalid_input', ['body.tool', 'body.priority']],
      [{ tool: 'echo', inputs: {} }, 'invalid_input', ['body.inputs']],
      [{ tool: 'files', input: {} }, 'invalid_input', ['body.input.files']],
      [{ tool: 'files' }, 'invalid_input', ['body.input.files']],
      [{ tool: 'files', input: { files: [{}, { name: 1 }] } }, 'invalid_input', ['body.input.files[1].name']],
      [{ workflow: 'tool', input: { tool: 'echo' } }, 'invalid_input', ['body.workflow']],
      [{ workflow: 'task' }, 'invalid_input', []],
      ['{"tool": "echo"', 'invalid_json', []],
      ['not json', 'invalid_json', []],
      ['', 'invalid_json', []],
      ['{"tool":"echo","__proto__":{"x":1}}', 'invalid_json', []],
      [`{"tool":"echo","input":${'['.repeat(500)}${']'.repeat(500)}}`, 'invalid_input', ['body']],
      ['null', 'invalid_input', ['body']],
    ];
    for (const [body, code, paths] of wrong) {
      const answer = await server.ask('POST', '/v1/runs', { body });
      const problem = problemOf(answer);
      expect([answer.status, problem.code], JSON.stringify(body)).toEqual([400, code]);
      for (const path of paths) expect(problem.issues.map((issue) => issue.path)).toContain(path);
      expect(problem.issues.length > 0, JSON.stringify(body)).toBe(paths.length > 0);
    }
    expect(await runCount(server)).toBe(0);
  });

  test('D2 an unknown tool or workflow is 404 and makes no run; output that does not fit fails the run with a code', async () => {
    await using server = await open();
    expect(problemOf(await server.ask('POST', '/v1/runs', { body: { tool: 'nobody' } }))).toMatchObject({
      status: 404,
      code: 'tool_not_found',
    });
    expect(problemOf(await server.ask('POST', '/v1/runs', { body: { workflow: 'nothing' } }))).toMatchObject({
      status: 404,
      code: 'workflow_not_found',
    });
    expect(await runCount(server)).toBe(0);
    const run = answerOf(await server.ask('POST', '/v1/runs?waitMs=20000', { body: { tool: 'liar' } }));
    expect(run).toMatchObject({ state: 'failed', output: null });
    const steps = await server.ask('GET', `/v1/runs/${run.runId}/steps`);
    expect(steps.json).toMatchObject({ steps: [{ state: 'failed', failure: { code: 'tool_output_invalid' } }] });
  });

  test('D3 a submit is answered at once; the same key is the same run, another request under it is refused', async () => {
    await using server = await open({ works: false });
    const headers = { 'idempotency-key': 'k1' };
    const body = { tool: 'counts', input: { a: 1, b: [1, 2] } };
    const first = await server.ask('POST', '/v1/runs', { body, headers });
    const made = answerOf(first);
    expect([first.status, made.state, first.headers['idempotency-replayed']]).toEqual([201, 'queued', undefined]);
    expect(first.headers.location).toBe(`/v1/runs/${made.runId}`);

    const spaced = '{ "input": {"b":[1, 2],\n "a" : 1}, "tool":"counts", "priority": 0 }';
    const again = await server.ask('POST', '/v1/runs', { body: spaced, headers });
    expect([again.status, again.headers['idempotency-replayed']]).toEqual([200, 'true']);
    expect(answerOf(again)).toEqual(made);

    const other = await server.ask('POST', '/v1/runs', { body: { tool: 'counts', input: {} }, headers });
    expect(problemOf(other)).toMatchObject({ status: 409, code: 'idempotency_key_reused' });
    const urgent = await server.ask('POST', '/v1/runs', { body: { ...body, priority: 5 }, headers });
    expect(problemOf(urgent)).toMatchObject({ status: 409, code: 'idempotency_key_reused' });
    const around = { workflow: 'tool', input: { tool: 'counts', input: {} } };
    expect(problemOf(await server.ask('POST', '/v1/runs', { body: around })).issues).toMatchObject([
      { path: 'body.workflow' },
    ]);
    const stranger = await server.ask('POST', '/v1/runs', { body, headers, as: 'admin' });
    expect(stranger.status).toBe(201);
    expect(answerOf(stranger).runId).not.toBe(made.runId);
    expect(await runCount(server)).toBe(2);

    await rm(join(server.world.root, 'waybill.tools/counts'), { recursive: true });
    const late = await server.ask('POST', '/v1/runs', { body, headers });
    expect([late.status, answerOf(late).runId]).toEqual([200, made.runId]);
    expect(problemOf(await server.ask('POST', '/v1/runs', { body })).code).toBe('tool_not_found');
  });

  test('D4 fifty identical submits at once are one execution, also for whoever asks after a restart', async () => {
    await using server = await open();
    const ask = () =>
      server.ask('POST', '/v1/runs?waitMs=20000', {
        body: { tool: 'counts', input: { n: 1 } },
        headers: { 'idempotency-key': 'once' },
      });
    const answers = await Promise.all(Array.from({ length: 50 }, ask));
    expect(answers.map(({ status }) => status).sort()).toEqual([...Array.from({ length: 49 }, () => 200), 201]);
    expect(new Set(answers.map((answer) => answerOf(answer).runId)).size).toBe(1);
    expect(new Set(answers.map((answer) => answerOf(answer).state))).toEqual(new Set(['succeeded']));
    await server.restart();
    const after = await ask();
    expect([after.status, after.headers['idempotency-replayed']]).toEqual([200, 'true']);
    expect(answerOf(after)).toMatchObject({ runId: answers[0] && answerOf(answers[0]).runId, output: { n: 1 } });
    expect(await readFile(join(server.world.root, 'waybill.tools/counts/executed'), 'utf8')).toBe('x');
  });

  test('an unknown run is 404 on every route of a run, and the id of none is 400', async () => {
    await using server = await open();
    const unknown = '/v1/runs/run-20200101-000000-0123abcd';
    const routes: readonly (readonly [string, string, unknown?])[] = [
      ['GET', ''],
      ['GET', '?waitMs=5000'],
      ['GET', '/steps'],
      ['GET', '/receipts/1'],
      ['GET', '/receipts/build'],
      ['GET', '/events'],
      ['GET', '/events?follow=true'],
      ['POST', '/cancel'],
      ['POST', '/pause'],
      ['POST', '/resume'],
      ['POST', '/resume', { retryFailed: { reason: 'again' } }],
      ['POST', '/approvals/ship', { approved: true }],
      ['POST', '/signals/go'],
    ];
    for (const [method, rest, body] of routes) {
      const answer = await server.ask(method, `${unknown}${rest}`, { body });
      expect(problemOf(answer), `${method} ${rest}`).toMatchObject({ status: 404, code: 'run_not_found' });
      const [path, query = ''] = rest.split('?');
      const malformed = await server.ask(method, `/v1/runs/nonsense${path}${query && `?${query}`}`, { body });
      expect(malformed.status, `${method} ${rest}`).toBe(400);
    }
  });

  test('a queued run is canceled before it starts, twice is once, and a finished one stays as it is', async () => {
    await using server = await open({ works: false });
    const { runId } = answerOf(await server.ask('POST', '/v1/runs', { body: { tool: 'counts' } }));
    const cancel = () => server.ask('POST', `/v1/runs/${runId}/cancel`, { body: { comment: 'not needed' } });
    const first = await cancel();
    expect(first.json).toMatchObject({ outcome: 'done', run: { state: 'canceled', startedAt: null } });
    const { lastSeq } = answerOf(first, 'run');
    const second = await cancel();
    expect([second.status, second.json]).toMatchObject([200, { outcome: 'unchanged', run: { lastSeq } }]);
    const detail = runDetailSchema.parse((await server.ask('GET', `/v1/runs/${runId}`)).json);
    expect(detail).toMatchObject({ state: 'canceled', queue: null, steps: 0 });
  });

  test('waiting ends at its deadline, and runs are listed a page at a time', async () => {
    await using server = await open({ works: false });
    const ids: string[] = [];
    for (const priority of [0, 5, -5]) {
      const made = await server.ask('POST', '/v1/runs?waitMs=50', { body: { tool: 'echo', priority } });
      expect(answerOf(made).state).toBe('queued');
      ids.push(answerOf(made).runId);
    }
    const seen: string[] = [];
    for (let cursor = ''; ; ) {
      const answer = await server.ask('GET', `/v1/runs?state=queued&state=running&limit=2${cursor}`, { as: 'auditor' });
      const page = z.object({ runs: z.array(z.object({ runId: z.string() })), nextCursor: z.string().nullable() });
      const { runs, nextCursor } = page.parse(answer.json);
      seen.push(...runs.map(({ runId }) => runId));
      if (nextCursor === null) break;
      cursor = `&cursor=${nextCursor}`;
    }
    expect(seen).toEqual(ids.sort().reverse());
    expect((await server.ask('GET', '/v1/runs?state=failed')).json).toEqual({ runs: [], nextCursor: null });
    expect(
      problemOf(await server.ask('GET', '/v1/runs?limit=0&what=1'))
        .issues.map(({ path }) => path)
        .sort(),
    ).toEqual(['query.limit', 'query.what']);
    expect(problemOf(await server.ask('GET', '/v1/runs?cursor=x')).code).toBe('invalid_argument');
    const shown = await server.ask('GET', `/v1/runs/${ids[0]}`);
    expect(shown.json).toMatchObject({ state: 'queued', queue: { parked: null, failures: 0 }, provenance: null });
  });
});

function problemOf({ headers, json }: Answer) {
  expect(headers['content-type']).toMatch(/^application\/problem\+json/);
  return problemSchema.parse(json);
}

function answerOf({ json }: Answer, member?: string) {
  const value = member === undefined ? json : z.looseObject({ [member]: z.unknown() }).parse(json)[member];
  return runAnswerSchema.parse(value);
}

async function runCount(server: TestServer): Promise<number> {
  const rows = await server.process.engine.store.read((tx) => tx.db.selectFrom('run').select('id').execute());
  return rows.length;
}
