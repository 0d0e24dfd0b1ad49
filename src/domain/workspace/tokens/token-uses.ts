import type { Micros } from '../../../platform/clock/clock.ts';
import type { PreparedSql, Store } from '../../../platform/store/store.ts';

export interface TokenUsesOptions {
  /** Time between two writes; a minute unless given. */
  readonly everyMs?: number;
  /** Told what kept a write from the store; what was to be written is tried again with the next. */
  readonly report?: (error: unknown) => unknown;
}

// Of several processes, whichever saw the token last has it, in whatever order they write.
const remember: PreparedSql = {
  sqlite:
    'INSERT INTO api_token_use (token, used_at) VALUES (?, ?) ON CONFLICT (token) DO UPDATE SET used_at = max(used_at, excluded.used_at)',
  postgres:
    'INSERT INTO api_token_use (token, used_at) VALUES ($1, $2) ON CONFLICT (token) DO UPDATE SET used_at = greatest(api_token_use.used_at, excluded.used_at)',
};

/**
 * When tokens were last used: remembered at each request, written once a minute for all tokens in one statement. A
 * process that is killed forgets a minute.
 */
export class TokenUses {
  readonly #store: Pick<Store, 'submit'>;
  readonly #everyMs: number;
  readonly #report: (error: unknown) => unknown;
  #seen = new Map<string, Micros>();
  #timer: NodeJS.Timeout | undefined;

  constructor(store: Pick<Store, 'submit'>, { everyMs = 60_000, report = () => undefined }: TokenUsesOptions = {}) {
    this.#store = store;
    this.#everyMs = everyMs;
    this.#report = report;
  }

  /** @param token its id */
  note(token: string, at: Micros): void {
    this.#seen.set(token, at);
    this.#timer ??= setTimeout(() => void this.flush(), this.#everyMs).unref();
  }

  /** Writes what is not written yet. Never rejects. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const seen = this.#seen;
    if (seen.size === 0) return;
    this.#seen = new Map();
    try {
      // In one order, so that two processes never wait for each other.
      await this.#store.submit({ statements: [{ sql: remember, rows: [...seen].sort(byToken) }] });
    } catch (error) {
      for (const [token, at] of seen) if (!this.#seen.has(token)) this.note(token, at);
      await this.#report(error);
    }
  }

  /** Writes what is not written yet, and no more after it. */
  async close(): Promise<void> {
    await this.flush();
    clearTimeout(this.#timer);
  }
}

function byToken([one]: readonly [string, Micros], [other]: readonly [string, Micros]): number {
  return one < other ? -1 : 1;
}
