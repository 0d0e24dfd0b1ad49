import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { problemSchema } from '../../contract/api/problem.ts';
import { createHttpApp } from './http-app.ts';
import { Measurements } from './measurements.ts';
import { Refusals } from './refusals.ts';
import { declaredRoutes, fastifyPath } from './route-table.ts';
import { type Answer, openTestServer, type TestServer } from './testing/open-test-server.ts';

test('D22 what is served is what is declared, with the same role', async () => {
  await using server = await openTestServer();
  const { parts } = server;
  const measurements = new Measurements();
  const app = await createHttpApp(
    { parts, drain: new AbortController().signal, measurements },
    { refusals: new Refusals(parts, measurements), level: 'silent' },
  );
  const declared = declaredRoutes();
  for (const { method, path } of declared) expect(app.hasRoute({ method, url: fastifyPath(path) }), path).toBe(true);
  // All that are declared are there, and there are no more than are declared.
  const served = countOf(app.printRoutes({ commonPrefix: false }));
  expect(new Set(declared.map(({ method, path }) => `${method} ${path}`)).size).toBe(declared.length);
  expect(served).toBe(declared.length);
  for (const { method, path } of declaredRoutes()) {
    const refused = await app.inject({ method, url: fastifyPath(path).replace(/:\w+/g, 'x') });
    // A request that is injected has no port and no host of ours, so each gets as far as its role.
    expect(refused.statusCode, `${method} ${path}`).not.toBe(404);
  }
  await app.close();
});

test('D22 a revoked token is refused from the next request on', async () => {
  await using server = await openTestServer();
  const made = await server.ask('POST', '/v1/tokens', { as: 'admin', body: { name: 'ci', role: 'runner' } });
  const { token, id } = tokenOf(made);
  const headers = { authorization: `Bearer ${token}` };
  expect([made.status, (await server.ask('GET', '/v1/tools', { as: null, headers })).status]).toEqual([201, 200]);
  const listed = await server.ask('GET', '/v1/tokens', { as: 'admin' });
  expect(listed.text).toContain(id);
  expect(listed.text).not.toContain(token);
  expect((await server.ask('DELETE', `/v1/tokens/${id}`, { as: 'admin' })).status).toBe(200);
  expect((await server.ask('GET', '/v1/tools', { as: null, headers })).status).toBe(401);
  expect(problemOf(await server.ask('DELETE', '/v1/tokens/tok_0000000000000000', { as: 'admin' })).status).toBe(404);
});

test('D22 a host that is not ours and a page of another origin are refused, before anything else is looked at', async () => {
  await using server = await openTestServer();
  const port = new URL(server.server.url ?? '').port;
  const ask = (headers: Record<string, string>) => server.ask('GET', '/v1/tools', { headers });
  for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, `LOCALHOST:${port}`, `[::1]:${port}`]) {
    expect((await ask({ host })).status, host).toBe(200);
    const own = await ask({ host, origin: `http://${host}` });
    expect([own.status, own.headers['access-control-allow-origin']], host).toEqual([200, undefined]);
  }
  for (const host of [
    'evil.example',
    `evil.example:${port}`,
    '127.0.0.1',
    'localhost:1',
    `127.0.0.1:${port}.evil.example`,
  ]) {
    expect(problemOf(await ask({ host })), host).toMatchObject({ status: 421, code: 'host_refused' });
  }
  const host = `127.0.0.1:${port}`;
  for (const origin of [
    'http://evil.example',
    'null',
    `https://${host}`,
    `http://localhost:${port}`,
    `http://${host}.evil.example`,
  ]) {
    expect(problemOf(await ask({ host, origin })), origin).toMatchObject({ status: 403, code: 'origin_refused' });
  }
  const preflight = await server.ask('OPTIONS', '/v1/runs', { headers: { host, origin: 'http://evil.example' } });
  expect([preflight.status, preflight.headers['access-control-allow-methods']]).toEqual([403, undefined]);
  const open = await server.ask('GET', '/healthz', { as: null, headers: { host: 'evil.example' } });
  expect(open.status).toBe(421);
});

test('D1 what cannot be read as a request of ours is a problem too', async () => {
  await using server = await openTestServer({ configuration: { daemon: { bodyBytes: 2_048 } } });
  const cases: readonly (readonly [string, string, Parameters<TestServer['ask']>[2], number, string])[] = [
    ['GET', '/nothing', {}, 404, 'route_not_found'],
    ['GET', '/v1/runs/', {}, 400, 'invalid_input'],
    ['DELETE', '/v1/runs', {}, 405, 'method_not_allowed'],
    ['HEAD', '/v1/tools', {}, 405, ''],
    ['GET', '/v1/runs/%zz', {}, 400, 'invalid_argument'],
    ['GET', `/v1/runs/${'x'.repeat(3_000)}`, {}, 400, 'invalid_argument'],
    [
      'POST',
      '/v1/runs',
      { body: 'a=b', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
      415,
      'unsupported_media_type',
    ],
    ['POST', '/v1/runs', { body: 'text', headers: { 'content-type': 'text/plain' } }, 415, 'unsupported_media_type'],
    ['POST', '/v1/runs', { body: { tool: 'echo', input: 'x'.repeat(3_000) } }, 413, 'body_too_large'],
    ['GET', '/v1/runs?__proto__[limit]=3', {}, 400, 'invalid_input'],
    ['GET', '/v1/runs?constructor.prototype.x=3', {}, 400, 'invalid_input'],
    ['GET', `/v1/runs?state[${'9'.repeat(6)}]=queued`, {}, 400, 'invalid_input'],
  ];
  for (const [method, path, options, status, code] of cases) {
    const answer = await server.ask(method, path, options);
    expect(answer.status, `${method} ${path.slice(0, 60)}`).toBe(status);
    if (code !== '') expect(problemOf(answer).code).toBe(code);
    if (status === 405) expect(answer.headers.allow).toMatch(/^GET(, POST)?$/);
  }
  expect(Object.getOwnPropertyNames(Object.prototype)).not.toContain('limit');
  const port = Number(new URL(server.server.url ?? '').port);
  expect(await speak(port, 'nonsense\r\n\r\n')).toMatch(
    /^HTTP\/1\.1 400 [\s\S]*problem\+json[\s\S]*"invalid_argument"/,
  );
  expect(await speak(port, `GET / HTTP/1.1\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 431 /);
  expect(await speak(port, 'GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n')).toMatch(/^HTTP\/1\.1 421 /);
  const smuggled =
    'POST /v1/runs HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n';
  expect(await speak(port, smuggled)).toMatch(/^HTTP\/1\.1 400 /);
});

test('a client that goes away while it sends or waits leaves nothing behind', async () => {
  const known = Array.from({ length: 3 }, () => Promise.withResolvers<void>());
  let asked = 0;
  await using server = await openTestServer({
    works: false,
    parts: ({ tokens }) => ({
      tokens: {
        ...tokens,
        authenticate: async (token) => {
          const caller = await tokens.authenticate(token);
          known[asked++]?.resolve();
          return caller;
        },
      },
    }),
  });
  const { host, port } = new URL(server.server.url ?? '');
  const { runId: waiting } = JSON.parse((await server.ask('POST', '/v1/runs', { body: { tool: 'echo' } })).text);
  const { hints } = server.process.engine.store;
  const [begun, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const subscribe = hints.subscribe.bind(hints);
  hints.subscribe = (topic) => {
    const subscription = subscribe(topic);
    begun.resolve();
    return {
      next: (ms, signal) => subscription.next(ms, signal),
      [Symbol.dispose]: () => {
        subscription[Symbol.dispose]();
        released.resolve();
      },
    };
  };
  const head = `Host: ${host}\r\nAuthorization: Bearer ${await server.token('runner')}\r\n`;
  const gone = connect(Number(port), '127.0.0.1');
  gone.write(`GET /v1/runs/${waiting}?waitMs=600000 HTTP/1.1\r\n${head}\r\n`);
  await begun.promise;
  gone.destroy();
  await released.promise;

  const half = connect(Number(port), '127.0.0.1');
  half.write(`POST /v1/runs HTTP/1.1\r\n${head}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"tool`);
  await known[2]?.promise;
  half.destroy();
  const ended = () => server.spans.filter(({ name }) => name === 'POST /v1/runs').length;
  await expect.poll(ended, { timeout: 10_000 }).toBe(2);
  const kept = await server.process.engine.store.read((tx) =>
    tx.db.selectFrom('infra_error_events').selectAll().execute(),
  );
  expect(kept).toEqual([]);
  expect((await server.ask('GET', '/healthz')).status).toBe(200);
});

test('a method that no route has is a problem like any other, whatever it says of a body', async () => {
  await using server = await openTestServer({ works: false });
  for (const [method, path, status, code] of [
    ['QUERY', '/v1/runs', 405, 'method_not_allowed'],
    ['QUERY', '/nothing', 404, 'route_not_found'],
    ['DELETE', '/v1/runs', 405, 'method_not_allowed'],
  ] as const) {
    for (const headers of [{}, { 'content-type': 'text/plain' }]) {
      const answer = await server.ask(method, path, { headers });
      expect(problemOf(answer), `${method} ${path}`).toMatchObject({ status, code });
    }
  }
});

test('a body of more values than can be looked at in a moment, or of bytes that are no text, is refused', async () => {
  await using server = await openTestServer({ works: false });
  const many = (count: number) => JSON.stringify({ tool: 'echo', input: Array(count).fill(',') });
  expect((await server.ask('POST', '/v1/runs', { body: many(99_000) })).status).toBe(201);
  const refused = await server.ask('POST', '/v1/runs', { body: many(101_000) });
  expect(problemOf(refused)).toMatchObject({ status: 413, code: 'body_too_large' });
  const { host, port } = new URL(server.server.url ?? '');
  const body = Buffer.concat([Buffer.from('{"tool":"echo","input":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}')]);
  const head = `POST /v1/runs HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${await server.token('runner')}\r\n`;
  const rest = `Connection: close\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
  const answer = await speak(Number(port), Buffer.concat([Buffer.from(head + rest), body]));
  expect(answer).toMatch(/^HTTP\/1\.1 400 [\s\S]*"code":"invalid_json"/);
});

test('a client that is refused unread and never closes its side is let go of', async () => {
  await using server = await openTestServer({ works: false });
  const port = Number(new URL(server.server.url ?? '').port);
  const stubborn = Array.from({ length: 5 }, () => connect({ port, host: '127.0.0.1', allowHalfOpen: true }));
  const letGo = stubborn.map(
    (socket) =>
      new Promise<string>((resolve) => {
        let answer = '';
        socket.setEncoding('utf8').on('data', (chunk) => (answer += chunk));
        socket.once('error', () => resolve(answer));
        socket.once('end', () => {
          // Its own side stays open, and talkative: only a closed connection answers that with an error.
          const talk = setInterval(() => socket.write('more'), 50);
          socket.once('close', () => clearInterval(talk));
        });
        socket.write('GARBAGE\r\n\r\n');
      }),
  );
  for (const answer of await Promise.all(letGo)) expect(answer).toMatch(/^HTTP\/1\.1 400 [\s\S]*"invalid_argument"/);
});

function problemOf({ headers, json }: Answer) {
  expect(headers['content-type']).toMatch(/^application\/problem\+json/);
  return problemSchema.parse(json);
}

function tokenOf({ text }: Answer): { token: string; id: string } {
  return JSON.parse(text);
}

/** How many routes are in Fastify's drawing of them: a path with its methods a line. */
function countOf(drawing: string): number {
  return [...drawing.matchAll(/ \(([A-Z, ]+)\)$/gm)].flatMap(([, methods = '']) => methods.split(', ')).length;
}

/** Sends bytes on a bare connection and gives what comes back until it is closed. */
function speak(port: number, text: string | Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    let answer = '';
    socket.setEncoding('utf8').on('data', (chunk) => (answer += chunk));
    socket.once('error', reject);
    socket.once('close', () => resolve(answer));
    socket.write(text);
  });
}
