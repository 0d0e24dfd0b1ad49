import { createHmac, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { z } from 'zod';

const eventSchema = z.object({
  specversion: z.literal('1.0'),
  id: z.string(),
  type: z.string(),
  data: z.object({ name: z.string(), version: z.string(), digest: z.string() }),
});

export interface Received {
  readonly event: z.infer<typeof eventSchema>;
  /** The signature is that of the secret, over exactly these bytes. */
  readonly signed: boolean;
}

/** Somebody else's program that is told of releases: it counts every request, and refuses while `open` is false. */
export interface Receiver {
  readonly url: string;
  open: boolean;
  secret: string;
  readonly received: readonly Received[];
  /** Requests it refused. */
  readonly refused: () => number;
  /** Resolves when this holds; rejects after twenty seconds. */
  until(holds: () => boolean): Promise<void>;
  close(): void;
}

export async function receiveWebhooks(): Promise<Receiver> {
  const received: Received[] = [];
  let refused = 0;
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      if (!receiver.open) {
        refused += 1;
        response.writeHead(503).end();
        return;
      }
      const body = Buffer.concat(parts).toString();
      const header = (name: string) => String(request.headers[name]);
      const signed = isSigned(receiver.secret, header, body);
      received.push({ event: eventSchema.parse(JSON.parse(body)), signed });
      response.writeHead(204).end();
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a server without a port');
  const receiver: Receiver = {
    url: `http://127.0.0.1:${address.port}/releases`,
    open: true,
    secret: '',
    received,
    refused: () => refused,
    until: async (holds) => {
      for (let left = 200; !holds(); left -= 1) {
        if (left === 0) throw new Error(`the receiver took in ${received.length} events and refused ${refused}`);
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    },
    close: () => server.close(),
  };
  return receiver;
}

/** https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md#verifying-webhook-authenticity */
function isSigned(secret: string, header: (name: string) => string, body: string): boolean {
  const key = Buffer.from(secret.replace('whsec_', ''), 'base64');
  const text = `${header('webhook-id')}.${header('webhook-timestamp')}.${body}`;
  const expected = Buffer.from(`v1,${createHmac('sha256', key).update(text).digest('base64')}`);
  const given = Buffer.from(header('webhook-signature'));
  return given.length === expected.length && timingSafeEqual(given, expected);
}
