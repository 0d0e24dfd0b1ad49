import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { parseId, type RunId } from '../src/contract/ids.ts';
import { garbageLimits } from '../src/domain/registry/collection/garbage-limits.ts';
import { heldBlobs } from '../src/domain/registry/collection/held-blobs.ts';
import { versionsOfRuns } from '../src/domain/registry/collection/versions-of-runs.ts';
import { listDrafts } from '../src/domain/registry/drafts/list-drafts.ts';
import { removeExpiredDrafts } from '../src/domain/registry/drafts/remove-expired-drafts.ts';
import { findVersion } from '../src/domain/registry/packages/find-version.ts';
import { listVersions } from '../src/domain/registry/packages/list-versions.ts';
import { readEntries } from '../src/domain/registry/publish/read-content.ts';
import type { Registry } from '../src/domain/registry/registry.ts';
import { openTestRegistry } from '../src/domain/registry/testing/open-test-registry.ts';
import { allMigrations } from '../src/domain/workspace/all-migrations.ts';
import { parseDigest } from '../src/platform/digests/digest.ts';
import { listAudit } from '../src/platform/journal/list-audit.ts';
import { openPostgresStore } from '../src/platform/store/postgres/open.ts';
import { openSqliteStore } from '../src/platform/store/sqlite/open.ts';
import type { Store } from '../src/platform/store/store.ts';
import { connectTo } from './postgres/start-postgres.ts';
import { testDatabase } from './postgres/test-database.ts';
import { type RecordedQuery, recordQueries } from './support/recorded-queries.ts';

vi.setConfig({ testTimeout: 120_000 });

const count = 100_000;
const hex = {
  sqlite: (n: string, width: number) => `printf('%0${width}x', ${n})`,
  postgres: (n: string, width: number) => `lpad(to_hex(${n}), ${width}, '0')`,
};
const from = {
  sqlite: (rows: number) =>
    `FROM (WITH RECURSIVE series(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM series WHERE n < ${rows}) SELECT n FROM series)`,
  postgres: (rows: number) => `FROM generate_series(1, ${rows}) AS n`,
};

/** A registry as it is after years: 100,000 versions of 1,000 packages, as many events, records, blobs and files. */
function filling(engine: 'sqlite' | 'postgres'): readonly string[] {
  const [h, series] = [hex[engine], from[engine]];
  const pack = `'pkg_' || ${h('(n % 1000)', 16)}`;
  const version = `'ver_' || ${h('n', 16)}`;
  const digest = `'sha256:' || ${h('n', 64)}`;
  const state = "CASE WHEN n % 100 = 0 THEN 'draft' WHEN n % 50 = 7 THEN 'tombstoned' ELSE 'published' END";
  const unless = (drafts: string) => `CASE WHEN n % 100 = 0 THEN NULL ELSE ${drafts} END`;
  const tombstoned = (value: string) => `CASE WHEN n % 100 <> 0 AND n % 50 = 7 THEN ${value} ELSE NULL END`;
  return [
    `INSERT INTO package (id, repo, type, name, events, created_at, created_by)
      SELECT 'pkg_' || ${h('(n - 1)', 16)}, 'local', 'generic', 'package-' || (n - 1), 100, n, 'me' ${series(1000)}`,
    `INSERT INTO version (id, package, repo, version, state, digest, run, gates, event_seq, created_at, created_by, expires_at,
        published_at, published_by, tombstoned_at, tombstoned_by, tombstone_reason)
      SELECT ${version}, ${pack}, 'local', '1.0.' || n, ${state}, ${unless(digest)},
        'run-20260101-000000-' || ${h('n', 8)}, ${unless("'[]'")}, ${unless('n')}, n * 1000, 'me',
        CASE WHEN n % 100 = 0 THEN 9000000000000000 ELSE NULL END, ${unless('n')}, ${unless("'me'")},
        ${tombstoned('n')}, ${tombstoned("'me'")}, ${tombstoned("'old'")} ${series(count)}`,
    `INSERT INTO version_entry (version, path, folded, digest, size, media_type)
      SELECT ${version}, 'file', 'file', ${digest}, n, NULL ${series(count)}`,
    `INSERT INTO version_manifest (version, media_type, body, digest, size)
      SELECT ${version}, 'application/json', ${engine === 'sqlite' ? "CAST('{}' AS BLOB)" : "'{}'::bytea"}, ${digest}, 2 ${series(count)}`,
    `INSERT INTO repo_blob (repo, digest, size, added_at, added_by) SELECT 'local', ${digest}, n, n, 'me' ${series(count)}`,
    `INSERT INTO outbox (aggregate, aggregate_seq, type, payload, at, delivered_at)
      SELECT 'package:' || ${pack}, n, 'dev.waybill.version.published', '{}', n, CASE WHEN n % 1000 = 0 THEN NULL ELSE n END ${series(count)}`,
    `INSERT INTO audit (at, actor, action, resource, outcome)
      SELECT n, 'token:' || (n % 500), CASE WHEN n % 40 = 7 THEN 'package.tag.changed' ELSE 'action.' || (n % 40) END, ${version}, CASE WHEN n % 200 = 0 THEN 'refused' ELSE 'succeeded' END ${series(count)}`,
  ];
}

/** Rows so large that a scan of them all is a defect. */
const large = ['version', 'version_entry', 'version_manifest', 'repo_blob', 'outbox', 'audit'];

interface Place extends AsyncDisposable {
  readonly store: Store;
  /** The tables that a query reads from one end to the other. */
  scans(query: RecordedQuery): Promise<readonly string[]>;
}

const places: readonly (readonly [string, () => Promise<Place>])[] = [
  [
    'SQLite',
    async () => {
      const folder = await mkdtemp(join(tmpdir(), 'waybill-plans-'));
      const path = join(folder, 'waybill.db');
      const store = await openSqliteStore({ path, migrations: allMigrations() });
      const database = new DatabaseSync(path, { timeout: 10_000 });
      const triggers = database.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").all();
      database.exec('PRAGMA synchronous = OFF; BEGIN');
      for (const { name } of triggers) database.exec(`DROP TRIGGER "${String(name)}"`);
      for (const statement of filling('sqlite')) database.exec(statement);
      for (const { sql } of triggers) database.exec(String(sql));
      database.exec('COMMIT');
      return {
        store,
        scans: async ({ sql, parameters }) => {
          const values = parameters.map(
            (value): SQLInputValue => z.union([z.string(), z.number(), z.null()]).parse(value),
          );
          const plan = database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...values);
          return plan.flatMap(({ detail }) => scannedBySqlite(String(detail), sql));
        },
        [Symbol.asyncDispose]: async () => {
          database.close();
          await store.close();
          await rm(folder, { recursive: true, force: true });
        },
      };
    },
  ],
  [
    'PostgreSQL',
    async () => {
      const { connection, drop } = await testDatabase();
      const store = await openPostgresStore({ connection, migrations: allMigrations(), poolSize: 2 });
      const client = await connectTo(connection.host, connection.database);
      await client.query("SET session_replication_role = 'replica'");
      for (const statement of filling('postgres')) await client.query(statement);
      await client.query('ANALYZE');
      return {
        store,
        scans: async ({ sql, parameters }) => {
          const { rows } = await client.query(`EXPLAIN (FORMAT JSON) ${sql}`, [...parameters]);
          return scannedByPostgres(planOf.parse(rows[0]?.['QUERY PLAN'])[0]?.Plan);
        },
        [Symbol.asyncDispose]: async () => {
          await client.end();
          await store.close();
          await drop();
        },
      };
    },
  ],
];

/** A scan of an index that holds only the rows that are asked for (`WHERE delivered_at IS NULL`) is none. */
function scannedBySqlite(detail: string, sql: string): readonly string[] {
  const [, alias = '', index] = /^SCAN (\w+)(?: USING (?:COVERING )?INDEX (\w+))?/.exec(detail) ?? [];
  if (alias === '' || index === 'outbox_pending' || index === 'version_expired') return [];
  const [, table = alias] = new RegExp(`"(\\w+)" as "${alias}"`).exec(sql) ?? [];
  return large.includes(table) ? [`${table}: ${detail}`] : [];
}

interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string | undefined;
  readonly Plans?: readonly PlanNode[] | undefined;
}
const planNode: z.ZodType<PlanNode> = z.lazy(() =>
  z.object({ 'Node Type': z.string(), 'Relation Name': z.string().optional(), Plans: z.array(planNode).optional() }),
);
const planOf = z.array(z.object({ Plan: planNode }));

function scannedByPostgres(node: PlanNode | undefined): readonly string[] {
  if (node === undefined) return ['no plan'];
  const table = node['Relation Name'] ?? '';
  const own = node['Node Type'] === 'Seq Scan' && large.includes(table) ? [`${table}: Seq Scan`] : [];
  return [...own, ...(node.Plans ?? []).flatMap(scannedByPostgres)];
}

/** What people and programs ask for all day, by the functions that ask it. */
const questions: readonly (readonly [string, (registry: Registry) => Promise<unknown>])[] = [
  ['version by repo and state', (registry) => listDrafts(registry, { repo: 'local', limit: 50 })],
  [
    'versions of a package',
    (registry) =>
      listVersions(registry, {
        repo: 'local',
        type: 'generic',
        name: 'package-7',
        states: [],
        limit: 50,
        cursor: null,
      }),
  ],
  [
    'version by coordinate',
    (registry) => findVersion(registry, 'local', { type: 'generic', name: 'package-7', version: '1.0.7007' }),
  ],
  [
    'entries by version',
    ({ store }) => store.read((tx) => readEntries(tx, 'local', parseId('version', 'ver_0000000000000007'))),
  ],
  ['expired drafts', (registry) => removeExpiredDrafts(registry, 'me')],
  ['versions of runs', ({ store }) => versionsOfRuns(store).blocks([aRun])],
  [
    'who needs a blob',
    async (registry) => {
      const limits = await garbageLimits(registry);
      const digest = parseDigest(`sha256:${'7'.padStart(64, '0')}`);
      await registry.store.read((tx) => heldBlobs(tx, [digest], limits, true));
    },
  ],
  [
    'pending outbox events',
    ({ store }) =>
      store.read(({ db }) =>
        db
          .selectFrom('outbox')
          .select(['id', 'aggregate'])
          .where('delivered_at', 'is', null)
          .orderBy('id')
          .limit(200)
          .execute(),
      ),
  ],
  ['audit by time', ({ store }) => listAudit(store, { limit: 50, since: 5_000, until: 90_000 })],
  ['audit by actor', ({ store }) => listAudit(store, { limit: 50, actor: 'token:7' })],
  ['audit by action', ({ store }) => listAudit(store, { limit: 50, action: 'package.tag.changed' })],
  ['audit by resource', ({ store }) => listAudit(store, { limit: 50, resource: 'ver_0000000000000007' })],
  ['audit by outcome', ({ store }) => listAudit(store, { limit: 50, outcome: 'refused' })],
];
const aRun: RunId = parseId('run', 'run-20260101-000000-00000007');

describe.each(places)(`query plans at ${count} rows on %s`, (_engine, openPlace) => {
  test('G29 every question the registry is asked all day is answered by an index, and a scan would be seen', async () => {
    await using place = await openPlace();
    await using opened = await openTestRegistry();
    const { store, queries } = recordQueries(place.store);
    const registry = { ...opened.registry, store };
    const scanned: string[] = [];
    for (const [question, ask] of questions) {
      queries.length = 0;
      await ask(registry);
      expect(queries.length, question).toBeGreaterThan(0);
      for (const query of queries) {
        for (const scan of await place.scans(query)) scanned.push(`${question}: ${scan} in ${query.sql}`);
      }
    }
    expect(scanned).toEqual([]);
    // The canary: a question without an index.
    queries.length = 0;
    await store.read(({ db }) => db.selectFrom('version').select('id').where('created_by', '=', 'nobody').execute());
    await store.read(({ db }) => db.selectFrom('audit').select('id').where('reason', '=', 'none').execute());
    const found = await Promise.all(queries.map((query) => place.scans(query)));
    expect(found.map((each) => each.length)).toEqual([1, 1]);
  });
});
