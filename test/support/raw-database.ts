import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { connectTo } from '../postgres/start-postgres.ts';
import type { Row } from './filled-database.ts';

/** A database as its owner has it: rows go in and come out past every guard. */
export interface RawDatabase {
  tables(): Promise<ReadonlyMap<string, readonly string[]>>;
  /** Puts these rows in the place of all there are, while no trigger is there. */
  fill(rows: ReadonlyMap<string, readonly Row[]>): Promise<void>;
  query(sql: string): Promise<readonly Row[]>;
}

export function rawSqlite(path: string): RawDatabase {
  const open = <T>(work: (database: DatabaseSync) => T): T => {
    const database = new DatabaseSync(path, { timeout: 5_000 });
    try {
      return work(database);
    } finally {
      database.close();
    }
  };
  return {
    tables: async () =>
      open((database) => {
        const names = database
          .prepare(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'schema_migration' AND name NOT LIKE 'sqlite_%'",
          )
          .all();
        return new Map(
          names.map(({ name }) => [
            String(name),
            database
              .prepare(`SELECT name FROM pragma_table_info(?)`)
              .all(String(name))
              .map((column) => String(column.name)),
          ]),
        );
      }),
    fill: async (rows) =>
      open((database) => {
        const triggers = database.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").all();
        database.exec('BEGIN');
        for (const { name } of triggers) database.exec(`DROP TRIGGER "${String(name)}"`);
        for (const [table, all] of rows) {
          database.exec(`DELETE FROM ${table}`);
          for (const row of all) {
            const columns = Object.keys(row);
            const marks = columns.map(() => '?').join(', ');
            const values: SQLInputValue[] = Object.values(row);
            database.prepare(`INSERT INTO ${table} (${columns.join(', ')}) VALUES (${marks})`).run(...values);
          }
        }
        for (const { sql } of triggers) database.exec(String(sql));
        database.exec('COMMIT');
      }),
    query: async (sql) => open((database) => database.prepare(sql).all()),
  };
}

export function rawPostgres(connection: { readonly host: string; readonly database: string }): RawDatabase {
  const open = async <T>(work: (client: Awaited<ReturnType<typeof connectTo>>) => Promise<T>): Promise<T> => {
    const client = await connectTo(connection.host, connection.database);
    try {
      return await work(client);
    } finally {
      await client.end();
    }
  };
  return {
    tables: () =>
      open(async (client) => {
        const { rows } = await client.query(
          "SELECT table_name::text AS name, column_name::text AS column FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'schema_migration' ORDER BY 1, ordinal_position",
        );
        const tables = new Map<string, string[]>();
        for (const { name, column } of rows) tables.set(name, [...(tables.get(name) ?? []), column]);
        return tables;
      }),
    fill: (all) =>
      open(async (client) => {
        await client.query("SET session_replication_role = 'replica'");
        await client.query('BEGIN');
        for (const [table, rows] of all) {
          await client.query(`DELETE FROM ${table}`);
          for (const row of rows) {
            const columns = Object.keys(row);
            const marks = columns.map((_, index) => `$${index + 1}`).join(', ');
            const values = Object.values(row).map((value) =>
              value instanceof Uint8Array ? Buffer.from(value) : value,
            );
            await client.query(
              `INSERT INTO ${table} (${columns.join(', ')}) OVERRIDING SYSTEM VALUE VALUES (${marks})`,
              values,
            );
          }
          const identity = await client.query(
            "SELECT 1 FROM information_schema.columns WHERE table_name = $1 AND column_name = 'id' AND is_identity = 'YES'",
            [table],
          );
          if (identity.rowCount !== 1) continue;
          await client.query(
            `SELECT setval(pg_get_serial_sequence('${table}', 'id'), (SELECT COALESCE(max(id), 0) + 1 FROM ${table}))`,
          );
        }
        await client.query('COMMIT');
      }),
    query: (sql) => open(async (client) => (await client.query(sql)).rows),
  };
}
