import { afterAll, describe, expect, test } from 'vitest';
import { bothStores, dropDatabases } from '../../../test/support/both-stores.ts';
import { problemSchema } from '../../contract/api/problem.ts';
import type { Store } from '../../platform/store/store.ts';
import { openTestServer, type TestServer } from './testing/open-test-server.ts';

afterAll(dropDatabases);

describe.each(bothStores)('what a refusal leaves on %s', (_, where) => {
  test("F2 a refused request is a problem answer, and its one envelope is the domain's, in the tree of the request", async () => {
    await using server = await openTestServer({ works: false, ...(await where()) });
    const refused = [
      ['POST', '/v1/runs', { body: {} }, 400, 'domain.validation'],
      ['POST', '/v1/runs', { body: '{' }, 400, 'domain.validation'],
      ['POST', '/v1/runs', { body: { tool: 'nobody' } }, 404, 'domain.not_found'],
      ['GET', '/v1/tools', { as: null }, 401, 'domain.authorization'],
      ['GET', '/v1/tokens', { as: 'runner' }, 403, 'domain.authorization'],
      ['GET', '/v1/tools', { headers: { host: 'evil.example' } }, 421, 'domain.authorization'],
      ['GET', '/nothing', {}, 404, 'domain.not_found'],
    ] as const;
    for (const [method, path, options, status, errorClass] of refused) {
      const before = await envelopes(server);
      const answer = await server.ask(method, path, options);
      const problem = problemSchema.parse(answer.json);
      expect([answer.status, problem.status]).toEqual([status, status]);
      const [envelope, ...more] = (await envelopes(server)).slice(before.length);
      expect(more).toEqual([]);
      expect(envelope).toMatchObject({ layer: 'L4', error_class: errorClass, error_id: problem.errorId });
      expect(answer.headers.traceparent).toBe(
        `00-${envelope?.correlation_id}-${rootSpan(server, problem.correlationId)}-01`,
      );
      // Of the envelope the answer has its id and nothing else.
      for (const own of ['layer', 'errorClass', 'fingerprint', 'severity', 'exceptionType']) {
        expect(answer.text).not.toContain(own);
      }
    }
  });

  test('no answer says that authority was refused before its audit record is durable', async () => {
    const gate = { shut: false, asked: Promise.withResolvers<void>(), open: Promise.withResolvers<void>() };
    await using server = await openTestServer({
      works: false,
      ...(await where()),
      parts: ({ engine }) => {
        const submit: Store['submit'] = async (...operation) => {
          if (gate.shut) {
            gate.asked.resolve();
            await gate.open.promise;
          }
          return engine.store.submit(...operation);
        };
        return { engine: { ...engine, store: { ...engine.store, submit } } };
      },
    });
    gate.shut = true;
    let answered = false;
    const asking = server.ask('GET', '/v1/tokens', { as: 'runner' }).then((answer) => {
      answered = true;
      return answer;
    });
    await gate.asked.promise;
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(answered).toBe(false);
    gate.open.resolve();
    expect((await asking).status).toBe(403);
  });

  test('a refused authority is in the audit before its answer is sent, and a flood of them is counted, not kept', async () => {
    await using server = await openTestServer({ works: false, ...(await where()) });
    await server.ask('GET', '/v1/tokens', { as: 'runner' });
    await server.ask('GET', '/v1/tools', { as: null, headers: { authorization: 'Bearer guessed' } });
    expect(await audits(server)).toMatchObject([
      { actor: 'token:the-runner', resource: 'GET /v1/tokens', outcome: 'refused', reason: 'forbidden' },
      { actor: 'anonymous', resource: 'GET /v1/tools', outcome: 'refused', reason: 'unauthorized' },
    ]);
    const flood = await Promise.all(Array.from({ length: 300 }, () => server.ask('GET', '/v1/tools', { as: null })));
    expect(new Set(flood.map(({ status }) => status))).toEqual(new Set([401]));
    const kept = (await audits(server)).filter(({ actor }) => actor === 'anonymous').length;
    expect(kept).toBeGreaterThanOrEqual(100);
    expect(kept).toBeLessThan(250);
    expect((await envelopes(server)).length).toBe(kept + 1);
    const uncounted = flood.filter(({ json }) => problemSchema.parse(json).errorId === null).length;
    expect(uncounted).toBe(301 - kept);
    // Somebody else is not in the way of the flood.
    const other = await server.ask('GET', '/v1/tokens', { as: 'runner' });
    expect(problemSchema.parse(other.json).errorId).not.toBeNull();
    const metrics = await server.ask('GET', '/metrics', { as: 'operator' });
    expect(metrics.text).toContain(`waybill_refusals_unrecorded_total ${uncounted}\n`);
    await server.server.close(0);
    expect((await audits(server)).at(-1)).toMatchObject({ reason: 'too_many', details: `{"count":${uncounted}}` });
  });
});

test("an error of the system is 500 without its words, and its envelope is not the domain's", async () => {
  const secret = 'connect ECONNREFUSED postgres://admin:hunter2@db';
  await using server = await openTestServer({
    parts: () => ({
      submit: () => Promise.reject(new Error(secret)),
    }),
  });
  const answer = await server.ask('POST', '/v1/runs', { body: { tool: 'echo' } });
  const problem = problemSchema.parse(answer.json);
  expect(problem).toMatchObject({ status: 500, code: 'internal', issues: [] });
  expect(answer.text).not.toContain('hunter2');
  expect(answer.text).not.toContain('ECONNREFUSED');
  expect(await envelopes(server)).toMatchObject([
    { error_id: problem.errorId, layer: 'L2', error_class: 'system.internal' },
  ]);
});

test('a route that answers an envelope is stopped at run time', async () => {
  await using server = await openTestServer({
    parts: ({ tools }) => ({
      tools: {
        ...tools,
        list: async () => ({ ...(await tools.list()), envelope: { errorId: `err_${'0'.repeat(32)}`, layer: 'L4' } }),
      },
    }),
  });
  const answer = await server.ask('GET', '/v1/tools');
  expect(problemSchema.parse(answer.json)).toMatchObject({ status: 500, code: 'internal' });
  expect(answer.text).not.toContain('L4');
});

test('a store that cannot be asked is 503, and never lets anybody in', async () => {
  await using server = await openTestServer();
  await server.process.engine.store.close();
  for (const as of ['admin', null] as const) {
    const answer = await server.ask('GET', '/v1/runs', { as });
    expect(problemSchema.parse(answer.json)).toMatchObject(
      as === null ? { status: 401 } : { status: 503, code: 'store_closed' },
    );
  }
  expect((await server.ask('GET', '/healthz', { as: null })).status).toBe(200);
});

async function envelopes(server: TestServer) {
  const { store } = server.process.engine;
  return store.read((tx) => tx.db.selectFrom('infra_error_events').selectAll().orderBy('id').execute());
}

async function audits(server: TestServer) {
  const { store } = server.process.engine;
  return store.read((tx) =>
    tx.db.selectFrom('audit').selectAll().where('action', '=', 'request.refused').orderBy('id').execute(),
  );
}

function rootSpan(server: TestServer, correlationId: string | null): string | undefined {
  return server.spans.find((span) => span.correlationId === correlationId)?.spanId;
}
