import pg from 'pg';
import { WaybillError } from '../../../contract/errors.ts';
import type { Clock } from '../../clock/clock.ts';
import { type AppliedMigration, label, type Migration, pendingMigrations } from '../migrations.ts';
import { clientConfig, type PostgresConnection } from './connection.ts';
import { engineCode } from './errors.ts';

const createTable = `CREATE TABLE IF NOT EXISTS schema_migration (
  feature text COLLATE "C" NOT NULL,
  number integer NOT NULL,
  name text COLLATE "C" NOT NULL,
  digest text COLLATE "C" NOT NULL,
  applied_at bigint NOT NULL,
  PRIMARY KEY (feature, number)
)`;

export interface PostgresMigration {
  readonly connection: PostgresConnection;
  readonly schema: string;
  readonly role: string | undefined;
  readonly migrations: readonly Migration[];
  readonly clock: Clock;
}

/**
 * Brings the schema up to date as the owner: one query when it is, else one transaction under a lock that
 * makes a second opener wait and find the work done. With a `role`, that role is made when it is missing and
 * may afterwards read and write rows, but owns nothing and so cannot touch a trigger.
 * @throws WaybillError `store_newer_schema`, `store_migration_changed`, or what stopped a migration.
 */
export async function migratePostgres({
  connection,
  schema,
  role,
  migrations,
  clock,
}: PostgresMigration): Promise<void> {
  const owner = new pg.Client(clientConfig(connection, { schema }));
  owner.on('error', () => {});
  await owner.connect();
  try {
    if (
      pendingMigrations('postgres', migrations, await applied(owner)).length === 0 &&
      (await mayWork(owner, schema, role))
    )
      return;
    await owner.query('BEGIN');
    await owner.query("SELECT pg_advisory_xact_lock(hashtextextended('waybill migrations', 0))");
    // Asking first: even `IF NOT EXISTS` wants a right on the database that an owner of the schema need not have.
    const known = await owner.query('SELECT 1 FROM pg_namespace WHERE nspname = $1', [schema]);
    if (known.rowCount === 0) await owner.query(`CREATE SCHEMA ${pg.escapeIdentifier(schema)}`);
    await owner.query(createTable);
    for (const migration of pendingMigrations('postgres', migrations, await applied(owner))) {
      try {
        await owner.query(migration.sql);
      } catch (error) {
        throw failed(label(migration), error);
      }
      const values = [migration.feature, migration.number, migration.name, migration.digest, clock.now()];
      await owner.query(
        'INSERT INTO schema_migration (feature, number, name, digest, applied_at) VALUES ($1, $2, $3, $4, $5)',
        values,
      );
    }
    if (role !== undefined) await grant(owner, schema, role);
    await owner.query('COMMIT');
  } finally {
    // Ending the connection rolls back what was not committed.
    await owner.end();
  }
}

async function applied(owner: pg.Client): Promise<AppliedMigration[]> {
  const exists: pg.QueryResult<{ found: boolean }> = await owner.query(
    "SELECT to_regclass('schema_migration') IS NOT NULL AS found",
  );
  if (exists.rows[0]?.found !== true) return [];
  const result: pg.QueryResult<AppliedMigration> = await owner.query(
    'SELECT feature, number, name, digest FROM schema_migration',
  );
  return result.rows;
}

async function mayWork(owner: pg.Client, schema: string, role: string | undefined): Promise<boolean> {
  if (role === undefined) return true;
  const known = await owner.query(
    "SELECT 1 FROM pg_roles WHERE rolname = $1 AND has_schema_privilege(oid, $2, 'USAGE')",
    [role, schema],
  );
  return known.rowCount === 1;
}

async function grant(owner: pg.Client, schema: string, role: string): Promise<void> {
  const [to, within] = [pg.escapeIdentifier(role), pg.escapeIdentifier(schema)];
  const known = await owner.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [role]);
  if (known.rowCount === 0) {
    // Roles belong to the whole server: an opener of another database may be making it at this moment.
    await owner.query(
      `DO $$ BEGIN CREATE ROLE ${to} NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$`,
    );
    // Since PostgreSQL 16 who makes a role may not yet act as it.
    await owner.query(`GRANT ${to} TO CURRENT_USER`);
  }
  await owner.query(`
    REVOKE CREATE ON SCHEMA ${within} FROM PUBLIC;
    GRANT USAGE ON SCHEMA ${within} TO ${to};
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${within} TO ${to};
    GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA ${within} TO ${to};
    REVOKE INSERT, UPDATE, DELETE ON schema_migration FROM ${to};
  `);
}

function failed(migration: string, error: unknown): unknown {
  if (!/^(42|22|23|0A)/.test(engineCode(error) ?? '')) return error;
  // The text of a migration is ours, so here the engine's words help and leak nothing.
  const words = error instanceof Error ? error.message : 'unknown error';
  return new WaybillError('internal', `the migration ${migration} failed: ${words}`, {
    hint: 'The database is unchanged. Correct the migration.',
    details: { migration },
  });
}
