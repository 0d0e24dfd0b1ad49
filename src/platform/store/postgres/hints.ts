import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { HintBoard, type HintSource } from '../hint-board.ts';
import type { HintSubscription, Hints } from '../store.ts';

const channel = 'waybill';
const longestPause = 5_000;

/**
 * Hints of this process through the board, of others through LISTEN on a connection of its own, open only
 * while someone follows. NOTIFY is a statement of its own after the commit: inside the hot transaction it
 * would make all commits of the database queue behind one lock.
 */
export class PostgresHints implements Hints, HintSource {
  readonly #pool: pg.Pool;
  readonly #config: pg.ClientConfig;
  /** Marks what we sent ourselves, which the board has already told our own followers. */
  readonly #sender = randomUUID();
  readonly #board = new HintBoard((followers) => this.#followersAre(followers));
  #topics = new Set<string>();
  #sending: Promise<void> | undefined;
  #listener: pg.Client | undefined;
  #retry: NodeJS.Timeout | undefined;
  #failures = 0;
  #closed = false;

  constructor(pool: pg.Pool, config: pg.ClientConfig) {
    this.#pool = pool;
    this.#config = config;
  }

  announce(topic: string): void {
    this.#board.hint(topic);
    if (this.#closed) return;
    this.#topics.add(topic);
    this.#sending ??= this.#send();
  }

  subscribe(topic: string): HintSubscription {
    return this.#board.subscribe(topic);
  }

  /** Sends what is announced, then stops. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#board.close();
    this.#stop();
    await this.#sending;
  }

  async #send(): Promise<void> {
    while (this.#topics.size > 0) {
      const topics = [...this.#topics];
      this.#topics = new Set();
      try {
        await this.#pool.query({
          name: 'waybill_notify',
          text: 'SELECT pg_notify($1, $2 || topic) FROM unnest($3::text[]) AS topic',
          values: [channel, `${this.#sender} `, topics],
        });
      } catch {
        // A hint is allowed to be missing: followers read the store at their bounded timeout.
      }
    }
    this.#sending = undefined;
  }

  #followersAre(followers: number): void {
    if (followers === 0) this.#stop();
    else if (this.#listener === undefined && this.#retry === undefined && !this.#closed) void this.#listen();
  }

  async #listen(): Promise<void> {
    const client = new pg.Client(this.#config);
    this.#listener = client;
    client.on('notification', ({ payload = '' }) => {
      const [sender = '', ...topic] = payload.split(' ');
      if (sender !== this.#sender) this.#board.hint(topic.join(' '));
    });
    client.on('error', () => this.#lost(client));
    client.on('end', () => this.#lost(client));
    try {
      await client.connect();
      await client.query(`LISTEN ${channel}`);
      this.#failures = 0;
      // What was announced before we listened is not repeated.
      this.#board.hintAll();
    } catch {
      this.#lost(client);
    }
  }

  #lost(client: pg.Client): void {
    if (this.#listener !== client) return;
    this.#listener = undefined;
    client.end().catch(() => {});
    this.#failures++;
    this.#retry = setTimeout(
      () => {
        this.#retry = undefined;
        void this.#listen();
      },
      Math.random() * Math.min(longestPause, 50 * 2 ** this.#failures),
    );
    this.#retry.unref();
  }

  #stop(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    const client = this.#listener;
    this.#listener = undefined;
    client?.end().catch(() => {});
  }
}
