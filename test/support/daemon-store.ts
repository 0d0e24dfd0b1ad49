import { connectTo } from '../postgres/start-postgres.ts';
import { testDatabase } from '../postgres/test-database.ts';
import type { TestWorkspace } from './workspace.ts';

export const engines = ['sqlite', 'postgres'] as const;
export type StoreEngine = (typeof engines)[number];

/** The store of daemons under test: how the program is told of it, and how a test looks into it beside the program. */
export interface DaemonStore extends AsyncDisposable {
  /** For the environment of a workspace whose configuration has `storeSettings`. */
  readonly env: Readonly<Record<string, string>>;
  rows(workspace: TestWorkspace, sql: string): Promise<readonly Record<string, unknown>[]>;
}

/** What a configuration says so that the environment chooses the store. */
export const storeSettings = `store: process.env.TEST_STORE ?? 'sqlite', ...(process.env.TEST_STORE ? { storeRole: 'waybill_program' } : {})`;

/** A store that is empty and belongs to one test. */
export async function openDaemonStore(engine: StoreEngine): Promise<DaemonStore> {
  if (engine === 'sqlite') {
    return { env: {}, rows: async (workspace, sql) => workspace.rows(sql), [Symbol.asyncDispose]: async () => {} };
  }
  const database = await testDatabase();
  const { host, user, database: name } = database.connection;
  return {
    env: { TEST_STORE: `postgres://${user}@localhost/${name}?host=${encodeURIComponent(host)}` },
    rows: async (_, sql) => {
      const client = await connectTo(host, name);
      try {
        const { rows } = await client.query<Record<string, unknown>>(sql);
        return rows;
      } finally {
        await client.end();
      }
    },
    [Symbol.asyncDispose]: () => database.drop(),
  };
}
