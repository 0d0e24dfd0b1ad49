import { randomBytes } from 'node:crypto';
import { inject } from 'vitest';
import { connectTo, superuser } from './start-postgres.ts';

export interface TestDatabase {
  /** What `openPostgresStore({ connection })` takes. */
  readonly connection: { readonly host: string; readonly user: string; readonly database: string };
  drop(): Promise<void>;
}

/** A fresh, empty database on the server of this test run (or another one), for one test file or one test. */
export async function testDatabase(socket: string = inject('postgresSocket')): Promise<TestDatabase> {
  const database = `test_${randomBytes(6).toString('hex')}`;
  await once(socket, `CREATE DATABASE ${database} TEMPLATE template0 STRATEGY file_copy`);
  return {
    connection: { host: socket, user: superuser, database },
    drop: () => once(socket, `DROP DATABASE ${database} WITH (FORCE)`),
  };
}

async function once(socket: string, sql: string): Promise<void> {
  const client = await connectTo(socket, 'postgres');
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
