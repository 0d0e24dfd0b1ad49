import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseConfiguration } from '../../src/contract/configuration.ts';
import { allMigrations } from '../../src/domain/workspace/all-migrations.ts';
import { makeWebhook } from '../../src/domain/workspace/webhooks/make-webhook.ts';
import type { Webhooks } from '../../src/domain/workspace/webhooks/webhooks.ts';
import { createWebhookPort } from '../../src/executors/webhooks/webhook-port.ts';
import { systemClock } from '../../src/platform/clock/clock.ts';
import { outboxStatement } from '../../src/platform/journal/outbox.ts';
import { openPostgresStore } from '../../src/platform/store/postgres/open.ts';
import { openSqliteStore } from '../../src/platform/store/sqlite/open.ts';
import type { Store } from '../../src/platform/store/store.ts';
import { OutboxRelay } from '../../src/workers/outbox-relay.ts';
import { type TestDatabase, testDatabase } from '../postgres/test-database.ts';

/** Where a store is, in words that a process of its own can be given. */
export type StorePlace =
  | { readonly path: string }
  | { readonly connection: TestDatabase['connection']; readonly role: string };

export function openPlace(place: StorePlace): Promise<Store> {
  const migrations = allMigrations();
  if ('path' in place) return openSqliteStore({ path: place.path, migrations });
  return openPostgresStore({ ...place, migrations, poolSize: 4 });
}

/** One request as a receiver got it. */
export interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** The id of the event. */
  readonly id: string;
}

/** A real HTTP server on loopback that answers as it is told. */
export class Receiver implements AsyncDisposable {
  readonly received: Received[] = [];
  readonly #server: Server;

  constructor(answer: (received: Received, response: ServerResponse) => void) {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.once('end', () => {
        const received = {
          headers: request.headers,
          body: Buffer.concat(chunks).toString('utf8'),
          id: String(request.headers['webhook-id']),
        };
        this.received.push(received);
        answer(received, response);
      });
    });
  }

  static async open(
    answer: (received: Received, response: ServerResponse) => void = (_, response) =>
      void response.writeHead(204).end(),
  ): Promise<Receiver> {
    const receiver = new Receiver(answer);
    const { promise, resolve } = Promise.withResolvers<void>();
    receiver.#server.listen(0, '127.0.0.1', resolve);
    await promise;
    return receiver;
  }

  get host(): string {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('a server without a port');
    return `127.0.0.1:${address.port}`;
  }

  get url(): string {
    return `http://${this.host}/hook`;
  }

  get ids(): string[] {
    return this.received.map(({ id }) => id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    await promise;
  }
}

export interface WebhookSettings {
  readonly maxAttempts?: number;
  readonly timeoutMs?: number;
  readonly backoffMs?: number;
  readonly maxBackoffMs?: number;
}

/** A store with webhooks on it, relays that end with the test, and a hand to write events with. */
export interface WebhookWorld extends AsyncDisposable {
  readonly place: StorePlace;
  readonly store: Store;
  readonly webhooks: Webhooks;
  /** What relays of this process reported. */
  readonly reported: unknown[];
  readonly said: string[];
  /** The same webhooks as another process has them, with a store of its own. */
  another(change?: Partial<Webhooks>): Promise<Webhooks>;
  make(receiver: { readonly url: string }, types?: readonly string[]): ReturnType<typeof makeWebhook>;
  emit(aggregate: string, ...seqs: readonly number[]): Promise<void>;
  relay(webhooks?: Webhooks): OutboxRelay;
  /** `<event> <state>` of all deliveries of a webhook, oldest first. */
  states(webhook: string): Promise<string[]>;
}

export async function openWebhookWorld(
  engine: 'SQLite' | 'PostgreSQL',
  settings: WebhookSettings = {},
): Promise<WebhookWorld> {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-webhooks-'));
  const database = engine === 'PostgreSQL' ? await testDatabase() : null;
  const place: StorePlace =
    database === null
      ? { path: join(folder, 'waybill.db') }
      : { connection: database.connection, role: `program_${database.connection.database}` };
  const stores: Store[] = [];
  const relays: OutboxRelay[] = [];
  const open = async () => {
    const store = await openPlace(place);
    stores.push(store);
    return store;
  };
  const store = await open();
  const webhooks = webhooksOn(store, randomBytes(32), settings);
  const reported: unknown[] = [];
  const said: string[] = [];
  return {
    place,
    store,
    webhooks,
    reported,
    said,
    another: async (change = {}) => ({ ...webhooks, store: await open(), ...change }),
    make: ({ url }, types = []) => makeWebhook(webhooks, { url, types }, 'test'),
    emit: (aggregate, ...seqs) => emit(store, aggregate, seqs),
    relay: (of = webhooks) => {
      const report = async (error: unknown) => void reported.push(error);
      const relay = new OutboxRelay({ webhooks: of, actor: 'test:relay', report, log: (line) => void said.push(line) });
      relays.push(relay);
      return relay;
    },
    states: async (webhook) => {
      const rows = await store.read((tx) =>
        tx.db.selectFrom('outbox_delivery').selectAll().where('webhook', '=', webhook).orderBy('outbox').execute(),
      );
      return rows.map((row) => `${row.aggregate}-${row.aggregate_seq} ${row.state}`);
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(relays.map((relay) => relay.close()));
      await Promise.all(stores.map((each) => each.close()));
      await database?.drop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Webhooks whose receivers are on this machine. */
export function webhooksOn(store: Store, key: Uint8Array, settings: WebhookSettings): Webhooks {
  const given = { maxAttempts: 4, timeoutMs: 2_000, backoffMs: 20, maxBackoffMs: 100, ...settings };
  return {
    store,
    clock: systemClock,
    settings: parseConfiguration({ webhooks: given }).webhooks,
    key,
    source: 'urn:waybill:ws_test',
    port: createWebhookPort({ allowPrivate: ['127.0.0.1'] }),
  };
}

export async function emit(store: Store, aggregate: string, seqs: readonly number[]): Promise<void> {
  const entries = seqs.map((seq) => ({
    aggregate,
    seq,
    type: seq % 2 === 0 ? 'dev.waybill.test.even' : 'dev.waybill.test.odd',
    payload: { aggregate, seq, text: 'ä "quoted"\n' },
    at: systemClock.now(),
    traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
  }));
  await store.submit({ statements: [outboxStatement(entries)] });
}
