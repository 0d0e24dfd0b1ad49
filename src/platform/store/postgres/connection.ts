import type { CompiledQuery, QueryResult } from 'kysely';
import pg from 'pg';
import { refuseOtherStatements } from '../statement-kind.ts';
import { storable } from '../storable.ts';
import { postgresError } from './errors.ts';

/** A URL, or its parts; a `host` that begins with `/` is the folder of a Unix socket. */
export type PostgresConnection =
  | string
  | {
      readonly host?: string;
      readonly port?: number;
      readonly database?: string;
      readonly user?: string;
      readonly password?: string;
    };

/** How long to wait for a connection, and for another transaction's lock, in milliseconds. */
export const defaultWaitMs = 10_000;

const int8 = 20;

/** Counts and times are int8 and fit a number, as they do on SQLite; what does not fit stays exact. */
function parseInt8(text: string): number | bigint {
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : BigInt(text);
}

export interface SessionSettings {
  readonly schema: string;
  /** The role the session acts as; without one it acts as the user it logged in as. */
  readonly role?: string | undefined;
}

/** What every session is started with, so that nothing a server's configuration says can weaken a promise. */
export function clientConfig(connection: PostgresConnection, { schema, role }: SessionSettings): pg.ClientConfig {
  const settings = [`search_path=${schema}`, 'synchronous_commit=on', `lock_timeout=${defaultWaitMs}`, 'timezone=UTC'];
  if (role !== undefined) settings.push(`role=${role}`);
  return {
    ...(typeof connection === 'string' ? { connectionString: connection } : connection),
    application_name: 'waybill',
    connectionTimeoutMillis: defaultWaitMs,
    options: settings.map((setting) => `-c ${setting}`).join(' '),
    types: {
      getTypeParser: (oid: number, format?: 'text' | 'binary') =>
        oid === int8 ? parseInt8 : pg.types.getTypeParser(oid, format),
    },
  };
}

export function makePool(connection: PostgresConnection, settings: SessionSettings, size: number): pg.Pool {
  const pool = new pg.Pool({
    ...clientConfig(connection, settings),
    max: size,
    pipeline: true,
    idleTimeoutMillis: 30_000,
    allowExitOnIdle: true,
  });
  // An idle connection that dies is dropped by the pool; the next query opens another or reports why it cannot.
  pool.on('error', () => {});
  // One in use rejects its query as well; without a listener the event alone would end the process.
  pool.on('connect', (client) => {
    client.on('error', () => {});
  });
  return pool;
}

/** Runs a closure's queries on one client, one at a time, each as a single statement. */
export class ScopeConnection {
  readonly #client: pg.ClientBase;
  #last: Promise<unknown> = Promise.resolve();

  constructor(client: pg.ClientBase) {
    this.#client = client;
  }

  /** @throws WaybillError */
  query(query: CompiledQuery): Promise<QueryResult<unknown>> {
    const result = this.#last.then(() => this.#run(query));
    this.#last = result.catch(() => {});
    return result;
  }

  async #run(query: CompiledQuery): Promise<QueryResult<unknown>> {
    try {
      refuseOtherStatements(query.sql);
      // The extended protocol takes one statement only; the simple one would run all that are in the text.
      const request = { text: query.sql, values: query.parameters.map(storable), queryMode: 'extended' };
      const result: pg.QueryResult<Record<string, unknown>> = await this.#client.query(request);
      return { rows: result.rows, numAffectedRows: BigInt(result.rowCount ?? 0) };
    } catch (error) {
      throw postgresError(error);
    }
  }
}
