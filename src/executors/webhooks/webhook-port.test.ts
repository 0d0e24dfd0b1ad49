import { readFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { createWebhookPort } from './webhook-port.ts';

const servers: Server[] = [];
afterAll(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});

async function listen(server: Server): Promise<number> {
  servers.push(server);
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', resolve);
  await promise;
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a server without a port');
  return address.port;
}

async function serve(listener: RequestListener): Promise<string> {
  return `http://127.0.0.1:${await listen(createServer(listener))}/`;
}

const request = (url: string) => ({ url, headers: { 'webhook-id': 'a-1' }, body: '{"ä":1}', timeoutMs: 500 });
const port = createWebhookPort({ allowPrivate: ['127.0.0.1'] });

describe('sending to a webhook', () => {
  test('G18 one POST with the body and the headers, and only the status comes back', async () => {
    const got: unknown[] = [];
    const url = await serve((incoming, response) => {
      const { method, url: path, headers } = incoming;
      let body = '';
      incoming.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      incoming.once('end', () => {
        got.push({ method, path, id: headers['webhook-id'], length: headers['content-length'], body });
        response.writeHead(202, { 'retry-after': '7' }).end('words of the receiver');
      });
    });
    const answer = await port.send(request(`${url}hook?a=b`));
    expect(answer).toEqual({ how: 'answered', status: 202, retryAfterMs: 7_000 });
    expect(got).toEqual([{ method: 'POST', path: '/hook?a=b', id: 'a-1', length: '8', body: '{"ä":1}' }]);
  });

  test('G18 no redirect is followed', async () => {
    let followed = 0;
    const target = await serve((_, response) => {
      followed++;
      response.end();
    });
    const url = await serve((_, response) => void response.writeHead(302, { location: target }).end());
    expect(await port.send(request(url))).toMatchObject({ how: 'answered', status: 302 });
    expect(followed).toBe(0);
  });

  test('G18 a receiver that hangs is left after the time limit, and a stop ends the request at once', async () => {
    const url = await serve(() => {});
    expect(await port.send(request(url))).toEqual({ how: 'failed', reason: 'timeout' });
    const stop = new AbortController();
    const sent = port.send({ ...request(url), timeoutMs: 60_000, signal: stop.signal });
    setTimeout(() => stop.abort('stopped'), 20);
    expect(await sent).toEqual({ how: 'failed', reason: 'stopped' });
    const late = createWebhookPort({ allowPrivate: [], resolve: () => new Promise(() => {}) });
    expect(await late.send(request('http://hooks.example.com/'))).toEqual({ how: 'failed', reason: 'timeout' });
  });

  test('G18 a body without an end is not read, and one that breaks off changes nothing of the status', async () => {
    let closed = 0;
    const endless = await serve((_, response) => {
      response.once('close', () => {
        closed++;
        clearInterval(timer);
      });
      response.writeHead(200);
      const timer = setInterval(() => response.write(Buffer.alloc(8_192)), 1);
    });
    expect(await port.send({ ...request(endless), timeoutMs: 60_000 })).toMatchObject({ status: 200 });
    await expect.poll(() => closed).toBe(1);
    const broken = await serve((_, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('half', () => response.destroy());
    });
    expect(await port.send(request(broken))).toMatchObject({ how: 'answered', status: 200 });
  });

  test('G18 what failed is told in a word of ours or the system, not of the receiver', async () => {
    const url = await serve((_, response) => void response.destroy());
    expect(await port.send(request(url))).toEqual({ how: 'failed', reason: 'ECONNRESET' });
    expect(await port.send(request('http://127.0.0.1:1/'))).toEqual({ how: 'failed', reason: 'ECONNREFUSED' });
    expect(await createWebhookPort({ allowPrivate: [] }).send(request(url))).toMatchObject({
      how: 'failed',
      reason: expect.stringMatching(/^webhook_refused: /),
    });
  });

  test('G18 the connection goes to the address that was checked: a name that changes in between gains nothing', async () => {
    let reached = 0;
    const url = await serve((_, response) => {
      reached++;
      response.end();
    });
    const { port: number } = new URL(url);
    // A name server that gives an address of the Internet to who checks, and loopback to who asks a second time.
    let asked = 0;
    const resolve = async () => [{ address: ++asked === 1 ? '192.0.2.1' : '127.0.0.1', family: 4 }];
    const strict = createWebhookPort({ allowPrivate: ['rebinding.example'], resolve });
    const answer = await strict.send({ ...request(`http://rebinding.example:${number}/`), timeoutMs: 300 });
    expect(answer.how).toBe('failed');
    expect([asked, reached]).toEqual([1, 0]);
    // It was checked when it was made; it is checked at each send too.
    const turned = createWebhookPort({ allowPrivate: [], resolve: async () => [{ address: '127.0.0.1', family: 4 }] });
    expect(await turned.send(request(`http://rebinding.example:${number}/`))).toMatchObject({
      reason: expect.stringMatching(/^webhook_refused/),
    });
    expect(reached).toBe(0);
  });

  test('G18 a certificate nobody trusts is refused', async () => {
    const [key, cert] = ['self-signed-key.pem', 'self-signed-cert.pem'].map((name) =>
      readFileSync(join(import.meta.dirname, 'fixtures', name)),
    );
    let reached = 0;
    const server = createTlsServer({ key, cert }, (_, response) => {
      reached++;
      response.end();
    });
    const number = await listen(server);
    const answer = await port.send({ ...request(`https://127.0.0.1:${number}/`), timeoutMs: 5_000 });
    expect(answer).toMatchObject({ how: 'failed', reason: 'DEPTH_ZERO_SELF_SIGNED_CERT' });
    expect(reached).toBe(0);
  });
});
