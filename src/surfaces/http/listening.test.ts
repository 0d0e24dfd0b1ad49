import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer, request as httpRequest } from 'node:http';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { listenOnSocket } from './listen-on-socket.ts';
import { openTestServer } from './testing/open-test-server.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-http-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test('D22 the socket is ours alone from its first moment, asks for the token too, and is gone after the end', async () => {
  const path = join(folder, 'daemon.sock');
  const seen = new Set<number>();
  let looking = true;
  const looks = (async () => {
    while (looking) {
      const found = await stat(path).catch(() => undefined);
      if (found !== undefined) seen.add(found.mode & 0o777);
    }
  })();
  await using server = await openTestServer({ listen: { socket: path, port: null } });
  await expect.poll(() => seen.size).toBeGreaterThan(0);
  looking = false;
  await looks;
  expect([...seen]).toEqual([0o600]);
  expect(server.server).toMatchObject({ url: null, socket: path });
  expect(await readdir(folder)).toEqual(['daemon.sock']);
  expect((await server.ask('GET', '/v1/tools')).status).toBe(200);
  expect((await server.ask('GET', '/v1/tools', { headers: { host: 'anything' } })).status).toBe(200);
  expect((await server.ask('GET', '/v1/tools', { as: null })).status).toBe(401);
  expect((await server.ask('GET', '/v1/tools', { headers: { origin: 'http://evil.example' } })).status).toBe(403);
  await server.server.close(0);
  await expect(stat(path)).rejects.toMatchObject({ code: 'ENOENT' });
});

test('D22 what a dead daemon left is replaced, a living daemon is not, and neither is a file', async () => {
  const path = join(folder, 'daemon.sock');
  // A process that ends without a word leaves its socket behind.
  const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  await promisify(execFile)(process.execPath, ['-e', script]).catch(() => {});
  expect((await stat(path)).isSocket()).toBe(true);
  const first = createHttpServer();
  const remove = await listenOnSocket(first, path);
  const second = createHttpServer();
  await expect(listenOnSocket(second, path)).rejects.toMatchObject({ code: 'daemon_running' });
  expect(second.listening).toBe(false);
  expect(await answers(path)).toBe(true);
  await remove();
  await new Promise((resolve) => first.close(resolve));

  await writeFile(path, 'not a socket');
  await expect(listenOnSocket(createHttpServer(), path)).rejects.toMatchObject({ code: 'invalid_path' });
  await rm(path);
  await symlink(join(folder, 'elsewhere'), path);
  await expect(listenOnSocket(createHttpServer(), path)).rejects.toMatchObject({ code: 'invalid_path' });
  await expect(listenOnSocket(createHttpServer(), join(folder, 'x'.repeat(120)))).rejects.toMatchObject({
    code: 'invalid_path',
  });
  await expect(listenOnSocket(createHttpServer(), join(folder, 'none', 's'))).rejects.toMatchObject({
    code: 'invalid_path',
  });
});

test('D22 a daemon that ends does not take away the socket of the one that took its place', async () => {
  const path = join(folder, 'daemon.sock');
  const first = createHttpServer();
  const remove = await listenOnSocket(first, path);
  await rm(path);
  const second = createHttpServer();
  const removeSecond = await listenOnSocket(second, path);
  await remove();
  await new Promise((resolve) => first.close(resolve));
  expect(await answers(path)).toBe(true);
  await removeSecond();
  await new Promise((resolve) => second.close(resolve));
});

test('a port that is taken is told by name, and nothing is left listening', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const address = other.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;
  const path = join(folder, 's');
  await expect(openTestServer({ listen: { socket: path, port } })).rejects.toMatchObject({ code: 'address_in_use' });
  expect(await answers(path)).toBe(false);
  await new Promise((resolve) => other.close(resolve));
});

test('closing lets answers under way finish, ends waits and streams, takes nothing new, and is bounded', async () => {
  await using server = await openTestServer({ works: false });
  const { url } = server.server;
  const { runId } = JSON.parse((await server.ask('POST', '/v1/runs', { body: { tool: 'echo' } })).text);
  const waits = server.ask('GET', `/v1/runs/${runId}?waitMs=600000`);
  const follows = server.ask('GET', `/v1/runs/${runId}/events?follow=true`);
  const kept = connect(Number(new URL(url ?? '').port), '127.0.0.1');
  kept.on('error', () => {});
  const keptEnded = new Promise((resolve) => kept.once('close', resolve));
  // A request that is never sent to its end would hold the server for its whole timeout.
  kept.write('POST /v1/runs HTTP/1.1\r\n');
  await expect
    .poll(async () => (await server.ask('GET', '/metrics', { as: 'operator' })).text)
    .toContain('waybill_open_streams 1');
  const began = performance.now();
  const closing = server.server.close(300);
  const [waited, followed] = await Promise.all([waits, follows]);
  expect(waited.json).toMatchObject({ runId, state: 'queued' });
  expect(
    followed.text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
      .at(-1),
  ).toMatchObject({
    schema: 'waybill.stream-end.v1',
    why: 'drain',
    cursor: 1,
  });
  await closing;
  await keptEnded;
  expect(performance.now() - began).toBeLessThan(10_000);
  await expect(server.ask('GET', '/healthz')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
});

test('a request on a connection that was kept is told that the daemon is ending', async () => {
  const slow = Promise.withResolvers<void>();
  await using server = await openTestServer({
    parts: ({ tools }) => ({ tools: { ...tools, list: () => slow.promise.then(() => tools.list()) } }),
  });
  const { port } = new URL(server.server.url ?? '');
  const head = `Host: 127.0.0.1:${port}\r\nAuthorization: Bearer ${await server.token('runner')}\r\n\r\n`;
  const socket = connect(Number(port), '127.0.0.1');
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk) => {
    text += chunk;
  });
  const ended = new Promise((resolve) => socket.once('close', resolve));
  socket.write(`GET /v1/tools HTTP/1.1\r\n${head}`);
  await expect.poll(async () => (await server.ask('GET', '/healthz')).status).toBe(200);
  const closing = server.server.close(5_000);
  socket.write(`GET /v1/tools HTTP/1.1\r\n${head}`);
  slow.resolve();
  await closing;
  await ended;
  expect(text).toMatch(/^HTTP\/1\.1 200 OK[\s\S]*"tools":/);
  // Nothing was answered for the second, or that it must be asked again; never half of an answer.
  if (text.includes('503')) expect(text).toMatch(/HTTP\/1\.1 503[\s\S]*retry-after: 1[\s\S]*"draining"/i);
});

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = httpRequest({ socketPath: path, method: 'OPTIONS' });
    asked.once('socket', (socket) => {
      socket.once('connect', () => {
        resolve(true);
        asked.destroy();
      });
    });
    asked.once('error', () => resolve(false));
    asked.end();
  });
}
