import { createServer, request as httpRequest } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { listening } from '../listen-on-socket.ts';
import { limitArrival } from '../request-arrival.ts';
import { requestBytes } from './request-bytes.ts';

const silentMs = 300;
/** What became of each request: how many bytes, or which error. */
let outcome = Promise.withResolvers<number | string>();
let late = 0;
const server = createServer({ requestTimeout: 0 }, (message, response) => {
  limitArrival(message, silentMs, () => {
    late++;
    message.socket.destroy();
  });
  if (message.url === '/others') return void message.resume().once('end', () => response.end());
  take(message).then(
    (size) => {
      outcome.resolve(size);
      response.end();
    },
    (error: unknown) => {
      outcome.resolve(error instanceof Error && 'code' in error ? `${error.code}` : 'unknown');
      response.writeHead(408).end();
    },
  );
});

async function take(message: Parameters<typeof requestBytes>[0]): Promise<number> {
  let size = 0;
  for await (const chunk of requestBytes(message, { maxBytes: 1e9, silentMs })) {
    size += chunk.length;
    // Taking its time is ours, not the client's silence.
    if (size === 1_000) await pause(2 * silentMs);
  }
  return size;
}

beforeEach(async () => {
  outcome = Promise.withResolvers();
  late = 0;
  if (!server.listening) await listening(server, { port: 0, host: '127.0.0.1' });
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

function begin(path: string) {
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const sent = httpRequest({ port, method: 'PUT', path, agent: false, headers: { 'transfer-encoding': 'chunked' } });
  const ended = new Promise<string>((resolve) => {
    sent.on('error', () => resolve('cut'));
    sent.on('response', (answer) => {
      answer.resume();
      resolve(`${answer.statusCode}`);
    });
  });
  return { sent, ended };
}

test('G1 an upload may take as long as it needs while bytes flow, and while they are taken', async () => {
  const { sent, ended } = begin('/bytes');
  for (let count = 0; count < 10; count++) {
    sent.write(Buffer.alloc(500));
    await pause(silentMs / 4);
  }
  sent.end();
  expect([await outcome.promise, await ended, late]).toEqual([5_000, '200', 0]);
});

test('G4 a client that sends nothing any more is told so, and cut', async () => {
  const { sent, ended } = begin('/bytes');
  sent.write(Buffer.alloc(500));
  expect(await outcome.promise).toBe('request_timeout');
  expect(await ended).toBe('408');
});

test('G4 a connection that is lost ends the body with an error, not with its end', async () => {
  const { sent } = begin('/bytes');
  sent.write(Buffer.alloc(500));
  await pause(50);
  sent.destroy();
  expect(await outcome.promise).toBe('ECONNRESET');
});

test('on every other route the whole request has to arrive in time, however it trickles', async () => {
  const { sent, ended } = begin('/others');
  const trickle = setInterval(() => sent.write('x'), 20);
  expect(await ended).toBe('cut');
  clearInterval(trickle);
  expect(late).toBe(1);
});
