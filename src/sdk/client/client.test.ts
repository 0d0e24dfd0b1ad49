import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, expectTypeOf, test } from 'vitest';
import type { RunDetail, RunSummary } from '../../contract/api/runs.ts';
import type { Readiness } from '../../contract/api/system.ts';
import type { JsonValue } from '../../contract/json.ts';
import { type Client, createClient } from './client.ts';
import { ledger, lines, problem, runDetail, runId, scriptedDaemon } from './fixtures/scripted-daemon.ts';

const issues = [{ path: 'input.n', message: 'must be a number' }];
const summary: RunSummary = {
  runId,
  workflow: 'tool',
  tool: 'echo',
  tasks: [],
  state: 'queued',
  interrupted: false,
  reason: null,
  steps: 0,
  lastSeq: 0,
  actor: 'local:1000',
  createdAt: '2026-11-23T00:30:00.000Z',
  startedAt: null,
  finishedAt: null,
};
const submitted = { ...summary, output: null };
const submit = { body: { tool: 'echo', input: { n: 1 } } } as const;
const keyed = { ...submit, headers: { 'idempotency-key': 'k1' } } as const;

describe('an answer', () => {
  test('that is a problem is thrown with its code, message, hint and facts', async () => {
    await using daemon = await scriptedDaemon(({ json }) =>
      json(400, problem(400, 'invalid_input', { hint: 'Mend it.', issues }), 'application/problem+json; charset=utf-8'),
    );
    await expect(createClient(daemon).runs.submit(submit)).rejects.toMatchObject({
      name: 'WaybillError',
      code: 'invalid_input',
      message: 'this is invalid_input',
      hint: 'Mend it.',
      details: { status: 400, issues, errorId: null, correlationId: null },
    });
  });

  test.each([
    ['a page', 200, 'text/html', '<h1>hello</h1>'],
    ['another program', 200, 'application/json', '{"hello":"world"}'],
    ['text that says it is JSON', 200, 'application/json', 'hello'],
    ['a login', 302, 'text/html', ''],
    ['a failure of something between', 502, 'text/html', '<h1>bad gateway</h1>'],
    ['a problem with a code nobody knows', 400, 'application/problem+json', '{"code":"nonsense"}'],
  ])('of %s is no answer of ours', async (_, status, mediaType, body) => {
    await using daemon = await scriptedDaemon(({ response }) => {
      response.writeHead(status, { 'content-type': mediaType }).end(body);
    });
    const client = createClient(daemon);
    await expect(client.runs.list({})).rejects.toMatchObject({ code: 'response_invalid' });
    await expect(client.system.health()).rejects.toMatchObject({ code: 'response_invalid' });
    await expect(client.events(runId).next()).rejects.toMatchObject({ code: 'response_invalid' });
  });

  test('of a newer daemon may say more', async () => {
    await using daemon = await scriptedDaemon(({ json }) =>
      json(200, { runs: [{ ...summary, mood: 'good' }], nextCursor: null }),
    );
    expect((await createClient(daemon).runs.list({})).runs).toMatchObject([{ runId }]);
  });

  test('that not being ready is, is no error', async () => {
    const answer = { ready: false, dependencies: [{ name: 'store', ready: false, reason: 'it is full' }] };
    await using daemon = await scriptedDaemon(({ json }) => json(503, answer));
    expect(await createClient(daemon).system.readiness()).toEqual(answer);
  });
});

describe('a connection', () => {
  test('that cannot be made says where and what to do', async () => {
    const url = await (async () => {
      await using daemon = await scriptedDaemon(() => {});
      return daemon.url;
    })();
    await expect(createClient({ url }).runs.list({})).rejects.toMatchObject({
      code: 'daemon_unreachable',
      message: `cannot reach the daemon at ${url}: nobody listens there`,
      hint: expect.stringContaining('waybill serve'),
    });
  });

  test('through a Unix socket carries answers, problems, events and an abort', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'waybill-client-'));
    try {
      await using daemon = await scriptedDaemon(
        ({ url, json, begin, response, request }) => {
          if (url.pathname.endsWith('/events')) {
            begin();
            if (url.searchParams.get('follow') === 'true') response.write(lines(ledger(3).slice(0, 2)));
            else response.end(lines(ledger(3)));
            return;
          }
          json(200, runDetail(3));
          expect(request.headers).toMatchObject({
            host: 'localhost',
            authorization: 'Bearer secret',
            traceparent: 'x',
          });
        },
        join(folder, 'daemon.sock'),
      );
      const socket = daemon.socket ?? '';
      await chmod(socket, 0o600);
      const client = createClient({ socket }, { token: 'secret', headers: () => ({ traceparent: 'x' }) });
      expect((await client.runs.get({ params: { runId } })).state).toBe('succeeded');
      const all = [];
      for await (const event of client.events(runId)) all.push(event);
      expect(all).toEqual(ledger(3));
      const stop = new AbortController();
      const following = client.follow(runId, { signal: stop.signal });
      await following.next();
      await following.next();
      const last = following.next();
      stop.abort();
      expect(await last).toMatchObject({ value: { why: 'aborted', cursor: 2 } });
      await expect.poll(() => daemon.connections(), { timeout: 10_000 }).toBe(0);
      const nobody = createClient({ socket: join(folder, 'nobody.sock') });
      await expect(nobody.runs.list({})).rejects.toMatchObject({
        code: 'daemon_unreachable',
        message: expect.stringContaining('no such socket'),
      });
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test('that is kept and was closed meanwhile is made anew, but only for what reads', async () => {
    const seen = new Set<unknown>();
    await using daemon = await scriptedDaemon(({ request: { socket, method }, response, json }) => {
      // Every connection is good for one answer, and is cut off at the next request.
      if (seen.has(socket)) return void response.destroy();
      seen.add(socket);
      if (method === 'POST') return json(201, submitted);
      json(200, { runs: [], nextCursor: null });
    });
    const client = createClient(daemon);
    for (let round = 0; round < 3; round += 1) expect((await client.runs.list({})).runs).toEqual([]);
    // The second round met a connection that was cut, and the third one made a new one to keep.
    expect(daemon.asked).toHaveLength(4);
    await expect(client.runs.submit(submit)).rejects.toMatchObject({ code: 'daemon_unreachable' });
    expect(daemon.asked).toHaveLength(5);
  });

  test('that an abort ends is not a failure of the daemon', async () => {
    await using daemon = await scriptedDaemon(() => {});
    const stop = new AbortController();
    const asking = createClient(daemon).runs.list({}, { signal: stop.signal });
    await expect.poll(() => daemon.asked.length, { timeout: 10_000 }).toBe(1);
    stop.abort();
    await expect(asking).rejects.toMatchObject({ name: 'AbortError' });
  });

  test('whose answer is long is read by a slow reader without filling memory', async () => {
    const all = ledger(64, 'x'.repeat(1_000_000));
    let sent = 0;
    await using daemon = await scriptedDaemon(async ({ begin, response }) => {
      begin();
      for (const event of all) {
        if (!response.write(lines([event]))) await new Promise((drained) => response.once('drain', drained));
        sent += 1;
      }
      response.end();
    });
    const reading = createClient(daemon).follow(runId);
    await reading.next();
    await new Promise((done) => setTimeout(done, 200));
    // Of 64 MB, what fits into the buffers of both sides is on its way, and nothing else.
    expect(sent).toBeLessThan(30);
    for (let next = await reading.next(); next.done !== true; next = await reading.next());
    expect(sent).toBe(64);
  });
});

describe('a submit whose connection is lost', () => {
  const losing = (times: number, how: 'before' | 'within') =>
    scriptedDaemon(({ number, response, json }) => {
      if (number >= times) return json(201, submitted);
      if (how === 'before') return void response.destroy();
      response.writeHead(201, { 'content-type': 'application/json', 'content-length': 1_000 });
      response.write('{"runId":', () => response.destroy());
    });

  test.each(['before', 'within'] as const)('%s the answer is sent again when it has a key', async (how) => {
    await using daemon = await losing(3, how);
    expect(await createClient(daemon).runs.submit(keyed)).toMatchObject({ status: 201, body: { runId } });
    expect(daemon.asked).toHaveLength(4);
    expect(new Set(daemon.asked.map(({ body }) => body)).size).toBe(1);
  });

  test('is not sent again without a key', async () => {
    await using daemon = await losing(1, 'within');
    await expect(createClient(daemon).runs.submit(submit)).rejects.toMatchObject({ code: 'daemon_unreachable' });
    expect(daemon.asked).toHaveLength(1);
  });

  test('is given up when its time is over', async () => {
    await using daemon = await losing(Number.POSITIVE_INFINITY, 'before');
    await expect(createClient(daemon, { retryMs: 50 }).runs.submit(keyed)).rejects.toMatchObject({
      code: 'daemon_unreachable',
    });
  });

  test('is not sent again when the daemon refuses it', async () => {
    await using daemon = await scriptedDaemon(({ json }) =>
      json(429, problem(429, 'queue_full'), 'application/problem+json'),
    );
    await expect(createClient(daemon).runs.submit(keyed)).rejects.toMatchObject({ code: 'queue_full' });
    expect(daemon.asked).toHaveLength(1);
  });
});

test('running a tool submits it and answers with its run when that is finished', async () => {
  let events = 0;
  await using daemon = await scriptedDaemon(({ url, request, json, begin, response }) => {
    if (request.method === 'POST') return json(201, submitted);
    if (!url.pathname.endsWith('/events')) return json(200, events < 2 ? runDetail(null, 1) : runDetail(3));
    events += 1;
    if (events === 1) return void response.destroy();
    begin();
    response.end(lines(ledger(3).filter(({ seq }) => seq > Number(url.searchParams.get('since')))));
  });
  const client = createClient(daemon, { backoff: { firstMs: 1, mostMs: 2 } });
  expect(await client.run('echo', { n: 1 }, { idempotencyKey: 'k' })).toMatchObject({ state: 'succeeded', lastSeq: 3 });
});

test('D26 a wait whose time is over says so and gives the cursor', async () => {
  await using daemon = await scriptedDaemon(({ url, json, begin, response }) => {
    if (!url.pathname.endsWith('/events')) return json(200, runDetail(null, 1));
    begin();
    response.write(lines(ledger(3).slice(1, 2)));
  });
  await expect(createClient(daemon).wait(runId, { timeoutMs: 100 })).rejects.toMatchObject({
    code: 'wait_timeout',
    details: { runId, cursor: 2 },
  });
});

test('D23 the types are those of the contract', () => {
  type Submitted = Awaited<ReturnType<Client['runs']['submit']>>;
  expectTypeOf<Submitted['status']>().toEqualTypeOf<200 | 201>();
  expectTypeOf<Submitted['body']['output']>().toEqualTypeOf<JsonValue>();
  expectTypeOf<Awaited<ReturnType<Client['runs']['get']>>>().toEqualTypeOf<RunDetail>();
  expectTypeOf<Awaited<ReturnType<Client['system']['readiness']>>>().toEqualTypeOf<Readiness>();
  expectTypeOf<Awaited<ReturnType<Client['system']['metrics']>>>().toEqualTypeOf<string>();
  const wrong = async (client: Client) => {
    // @ts-expect-error a run has an id
    await client.runs.get({});
    // @ts-expect-error no such member
    await client.runs.submit({ body: { tol: 'echo' } });
    // @ts-expect-error the comment of a cancel is a text
    await client.runs.cancel({ params: { runId }, body: { comment: 3 } });
    // @ts-expect-error no such route
    await client.runs.launch();
  };
  expect(wrong).toBeTypeOf('function');
});
