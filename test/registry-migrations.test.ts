import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { checkRegistry } from '../src/domain/registry/fsck/fsck.ts';
import { verifyRun } from '../src/domain/runs/evidence/verify.ts';
import { showRun } from '../src/domain/runs/show-run.ts';
import { allMigrations } from '../src/domain/workspace/all-migrations.ts';
import { openTokens } from '../src/domain/workspace/tokens/open-tokens.ts';
import { sealAudit } from '../src/platform/journal/seal-audit.ts';
import { verifyAuditChain } from '../src/platform/journal/verify-audit-chain.ts';
import { label, type Migration } from '../src/platform/store/migrations.ts';
import { openPostgresStore } from '../src/platform/store/postgres/open.ts';
import { openSqliteStore } from '../src/platform/store/sqlite/open.ts';
import type { Store } from '../src/platform/store/store.ts';
import { testDatabase } from './postgres/test-database.ts';
import { type FilledDatabase, fillDatabase, type Row } from './support/filled-database.ts';
import { type RawDatabase, rawPostgres, rawSqlite } from './support/raw-database.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

/** The schema as the daemon of the issue before had it; since then these came, one by one. */
const released = new Map([
  ['envelopes', 1],
  ['journal', 1],
  ['runs', 3],
  ['workspace', 1],
]);
const isReleased = ({ feature, number }: Migration) => number <= (released.get(feature) ?? 0);
const added = allMigrations().filter((migration) => !isReleased(migration));
/** Every schema there was: the released one, and after each migration that was added to it. */
const earlier = added.map((_, count) => {
  const names = new Set(added.slice(0, count).map(label));
  const last = count === 0 ? 'as it was released' : `with ${[...names].at(-1)}`;
  return { last, migrations: allMigrations().filter((each) => isReleased(each) || names.has(label(each))) };
});

interface Place extends AsyncDisposable {
  open(migrations: readonly Migration[]): Promise<Store>;
  readonly raw: RawDatabase;
}

const places: readonly (readonly [string, () => Promise<Place>])[] = [
  [
    'SQLite',
    async () => {
      const folder = await mkdtemp(join(tmpdir(), 'waybill-migrations-'));
      const path = join(folder, 'waybill.db');
      return {
        open: (migrations) => openSqliteStore({ path, migrations }),
        raw: rawSqlite(path),
        [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
      };
    },
  ],
  [
    'PostgreSQL',
    async () => {
      const { connection, drop } = await testDatabase();
      const role = `program_${connection.database}`;
      return {
        open: (migrations) => openPostgresStore({ connection, migrations, role, poolSize: 2 }),
        raw: rawPostgres(connection),
        [Symbol.asyncDispose]: drop,
      };
    },
  ],
];

let filled: FilledDatabase;
beforeAll(async () => {
  filled = await fillDatabase();
});
afterAll(() => filled[Symbol.asyncDispose]());

/** What an earlier program would have had of these rows: the tables and columns it knew, in the form it gave them. */
function asKnownTo(tables: ReadonlyMap<string, readonly string[]>): ReadonlyMap<string, readonly Row[]> {
  const all = filled.rows();
  const known = new Map<string, readonly Row[]>();
  for (const [table, columns] of tables) {
    // The chain is sealed anew by whoever opens it.
    if (table === 'audit_chain') continue;
    const rows = (all.get(table) ?? []).filter((row) => tables.has('version') || !isOfRegistry(table, row));
    known.set(
      table,
      rows.map((row) => {
        const kept = Object.entries(row).filter(([name]) => columns.includes(name));
        const old = Object.fromEntries(kept);
        if (table === 'audit' && 'position' in old) return { ...old, position: null, previous: null, digest: null };
        return table === 'api_token' && !columns.includes('grants') ? { ...old, role: 'admin' } : old;
      }),
    );
  }
  return known;
}

/** Before there were versions nothing was told of them. */
function isOfRegistry(table: string, row: Row): boolean {
  if (table === 'outbox') return String(row.aggregate).startsWith('package:');
  return table === 'audit' && /^(package|upload)\./.test(String(row.action));
}

const applied = (raw: RawDatabase) =>
  raw.query('SELECT feature, number, name, digest, applied_at FROM schema_migration ORDER BY feature, number');

/** Everything a person would look at is there and proves what it proved before. */
async function assertReadable(store: Store, hasRegistry: boolean): Promise<void> {
  const { opened, runs, token } = filled;
  const engine = { ...opened.process.engine, store };
  for (const run of runs) {
    expect(await verifyRun(engine, run), run).toMatchObject({ intact: true });
    expect(await showRun(engine, run)).toEqual(await showRun(opened.process.engine, run));
  }
  const tokens = openTokens(store, opened.registry.clock);
  expect(await tokens.authenticate(token)).toMatchObject({ actor: 'token:ci', role: 'admin' });
  await sealAudit(store);
  expect(await verifyAuditChain(store)).toMatchObject({ intact: true, unsealed: 0 });
  const report = await checkRegistry({ ...opened.registry, store });
  expect(report.damage).toEqual([]);
  expect(report.checked.versions).toBe(hasRegistry ? 3 : 0);
  expect(report.checked.receipts).toBeGreaterThan(3);
}

describe.each(places)('migrations on %s', (_engine, openPlace) => {
  test('G29 apply from nothing; a second start applies none', async () => {
    await using place = await openPlace();
    const store = await place.open(allMigrations());
    const first = await applied(place.raw);
    expect(first).toHaveLength(allMigrations().length);
    expect((await checkRegistry({ ...filled.opened.registry, store })).checked.guards).toBeGreaterThan(100);
    await store.close();
    const again = await place.open(allMigrations());
    expect(await applied(place.raw)).toEqual(first);
    await again.close();
  });

  test.each(earlier)('G29 apply to a filled schema $last, and all of it is still readable', async ({ migrations }) => {
    await using place = await openPlace();
    const old = await place.open(migrations);
    await old.close();
    const tables = await place.raw.tables();
    const rows = asKnownTo(tables);
    await place.raw.fill(rows);
    const before = await applied(place.raw);
    expect(before).toHaveLength(migrations.length);

    const store = await place.open(allMigrations());
    const after = await applied(place.raw);
    expect(after).toHaveLength(allMigrations().length);
    expect(after).toEqual(expect.arrayContaining([...before]));
    for (const [table, known] of rows) {
      const found = await place.raw.query(`SELECT count(*) AS count FROM ${table}`);
      expect(Number(found[0]?.count), table).toBe(known.length);
    }
    await assertReadable(store, tables.has('version'));
    await store.close();

    const again = await place.open(allMigrations());
    expect(await applied(place.raw)).toEqual(after);
    await again.close();
  });
});

test('G29 what the migrations were tried on is a database with rows', () => {
  const rows = filled.rows();
  const empty = [...rows].filter(([, all]) => all.length === 0).map(([table]) => table);
  // Filled by tests of their own: src/platform/envelopes, src/domain/registry/policy, src/domain/workspace.
  const elsewhere = ['infra_error_events', 'span', 'retention_window', 'gate_run', 'policy_rule', 'quarantine'];
  const webhooks = ['webhook', 'outbox_delivery', 'api_token_use'];
  expect(empty.filter((table) => ![...elsewhere, ...webhooks].includes(table))).toEqual([]);
  expect(rows.size).toBeGreaterThan(30);
  expect(earlier.length).toBeGreaterThan(6);
});
