import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { sql } from 'kysely';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestDatabase, testDatabase } from '../../../test/postgres/test-database.ts';
import { childSpan, correlationScope, currentCorrelation } from '../correlation/correlation.ts';
import { SpanBuffer } from '../correlation/span-buffer.ts';
import { openPostgresStore } from '../store/postgres/open.ts';
import { openSqliteStore } from '../store/sqlite/open.ts';
import type { Store } from '../store/store.ts';
import type { ErrorEnvelope } from './envelope.ts';
import { errorRow } from './error-row.ts';
import { testEmitters } from './fixtures/test-emitters.ts';
import { envelopeMigrations } from './migrations.ts';
import { openErrorStore } from './open-error-store.ts';
import { spanWriter } from './span-writer.ts';

const day = 86_400_000_000;
const now = Date.UTC(2024, 1, 29, 12) * 1000;
const clock = { now: () => now };
const refused = expect.objectContaining({ code: 'store_immutable' });
const failed = { errorClass: 'domain.constraint', severity: 'error', message: 'the check failed' } as const;

interface Opened {
  readonly store: Store;
  readonly folder: string | undefined;
  /** The plan the engine makes for a query, with the index it uses. */
  explain(query: string): Promise<string>;
  close(): Promise<void>;
}

async function sqlite(): Promise<Opened> {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-errors-'));
  const store = await openSqliteStore({ path: join(folder, 'waybill.db'), migrations: envelopeMigrations() });
  const close = async (): Promise<void> => {
    await store.close();
    await rm(folder, { recursive: true, force: true });
  };
  // EXPLAIN is not for closures, so the plan is asked for beside the store.
  const explain = async (query: string): Promise<string> => {
    const database = new DatabaseSync(':memory:');
    for (const migration of envelopeMigrations()) database.exec(migration.sqlite);
    const plan = database.prepare(`EXPLAIN QUERY PLAN ${query}`).all();
    database.close();
    return JSON.stringify(plan);
  };
  return { store, folder, explain, close };
}

async function postgres(): Promise<Opened> {
  const database: TestDatabase = await testDatabase();
  const store = await openPostgresStore({ connection: database.connection, migrations: envelopeMigrations() });
  const close = async (): Promise<void> => {
    await store.close();
    await database.drop();
  };
  const explain = async (query: string): Promise<string> => {
    const client = new pg.Client(database.connection);
    await client.connect();
    try {
      // With few rows reading them all is cheaper; what is asked here is whether an index fits.
      await client.query('SET enable_seqscan = off');
      return JSON.stringify((await client.query(`EXPLAIN ${query}`)).rows);
    } finally {
      await client.end();
    }
  };
  return { store, folder: undefined, explain, close };
}

describe.each([
  ['sqlite', sqlite],
  ['postgres', postgres],
])('%s', (_, open) => {
  let opened: Opened;
  let store: Store;
  beforeAll(async () => {
    opened = await open();
    store = opened.store;
  });
  afterAll(() => opened.close());

  /** A workspace of its own for each test, all in one database. */
  let workspaces = 0;
  const workspace = (at = clock) => {
    const workspaceId = `ws-${++workspaces}`;
    const errors = openErrorStore(store, workspaceId, at);
    const domain = testEmitters({ workspaceId, clock })('L4', 'runs');
    return { workspaceId, errors, domain };
  };
  const rows = async (workspaceId: string): Promise<number> => {
    const found = await store.read((tx) =>
      tx.db.selectFrom('infra_error_events').select('id').where('workspace_id', '=', workspaceId).execute(),
    );
    return found.length;
  };
  const at = (envelope: ErrorEnvelope, timestamp: number): ErrorEnvelope => ({ ...envelope, timestamp });

  test('F33 what is stored comes back field by field, and is found by the id a user was shown (part of F31)', async () => {
    const { errors, domain } = workspace();
    const envelope = domain.emit({
      ...failed,
      error: new Error('x', { cause: new Error('y') }),
      input: {},
      context: { a: [1, 'ü', null] },
      runId: 'run-1',
      decisionId: 'dec-1',
      step: 's',
      agentId: 'a',
      actor: 'local:0',
      exitCode: 3,
    });
    await errors.persist(envelope);
    expect(await errors.find(envelope.errorId)).toEqual(envelope);
    const page = { envelopes: [envelope], next: null };
    expect(await errors.byRun('run-1')).toEqual(page);
    expect(await errors.byDecision('dec-1')).toEqual(page);
    expect(await errors.byCorrelation(envelope.correlationId)).toEqual(page);
    expect(await errors.byComponent('runs')).toEqual(page);
    expect(await errors.byClass('domain.constraint')).toEqual(page);
    expect(await errors.byFingerprint(envelope.fingerprint)).toEqual(page);
    expect(await errors.bySeverity('error')).toEqual(page);
    expect(await errors.bySeverity('critical')).toEqual({ envelopes: [], next: null });
    expect(await openErrorStore(store, 'ws-of-others').find(envelope.errorId)).toBeUndefined();
  });

  test('F10 the first write wins, alone, in batches and at once', async () => {
    const { workspaceId, errors, domain } = workspace();
    const envelopes = Array.from({ length: 30 }, () => domain.emit(failed));
    const [first] = envelopes;
    if (first === undefined) throw new Error('no envelope');
    await errors.persist(first);
    await errors.persist({ ...first, message: 'the second write' });
    expect((await errors.find(first.errorId))?.message).toBe('the check failed');
    expect(await errors.persistBatch([])).toBe(0);
    expect(await errors.persistBatch(envelopes.slice(0, 10))).toBe(9);
    const shuffled = [envelopes, envelopes.toReversed(), [...envelopes, ...envelopes], envelopes.slice(5)];
    const counts = await Promise.all(shuffled.map((batch) => errors.persistBatch(batch)));
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(20);
    expect(await rows(workspaceId)).toBe(30);
  });

  test('the table is append-only: update, delete, upsert, replace and truncate are refused (part of F9)', async () => {
    const { workspaceId, errors, domain } = workspace();
    const envelope = domain.emit(failed);
    await errors.persist(envelope);
    const row = { ...errorRow(envelope, now), message: 'another' };
    const attempts: readonly ((tx: Parameters<Parameters<Store['write']>[0]>[0]) => Promise<unknown>)[] = [
      (tx) => tx.db.updateTable('infra_error_events').set({ message: 'changed' }).execute(),
      (tx) => tx.db.deleteFrom('infra_error_events').execute(),
      (tx) =>
        tx.db
          .insertInto('infra_error_events')
          .values(row)
          .onConflict((conflict) => conflict.column('error_id').doUpdateSet({ message: 'changed' }))
          .execute(),
      ...(store.engine === 'sqlite'
        ? ([
            (tx) => tx.db.insertInto('infra_error_events').orReplace().values(row).execute(),
            (tx) => sql`UPDATE OR REPLACE infra_error_events SET error_id = 'x'`.execute(tx.db),
            async (tx) => {
              const { id } = await tx.db.selectFrom('infra_error_events').select('id').executeTakeFirstOrThrow();
              await tx.db
                .insertInto('infra_error_events')
                .orReplace()
                .values({ ...row, id, error_id: 'err_other' })
                .execute();
            },
          ] satisfies typeof attempts)
        : []),
    ];
    for (const attempt of attempts) {
      await expect(store.write(async (tx) => void (await attempt(tx)))).rejects.toEqual(refused);
    }
    if (store.engine === 'postgres') {
      await expect(store.write((tx) => sql`TRUNCATE infra_error_events`.execute(tx.db))).rejects.toThrow();
    }
    expect(await rows(workspaceId)).toBe(1);
    expect(await errors.find(envelope.errorId)).toEqual(envelope);
  });

  test('F1 the database refuses a class its layer may not emit, and words it does not know', async () => {
    const { errors, domain } = workspace();
    const envelope = domain.emit(failed);
    for (const wrong of [
      { layer: 'L6' },
      { errorClass: 'infra.network' },
      { errorClass: 'domain.bad_luck' },
      { layer: 'L1', errorClass: 'system.internal' },
      { severity: 'fatal' },
    ]) {
      const row = errorRow(envelope, now);
      await expect(
        store.write((tx) =>
          tx.db
            .insertInto('infra_error_events')
            .values({
              ...row,
              layer: wrong.layer ?? row.layer,
              error_class: wrong.errorClass ?? row.error_class,
              severity: wrong.severity ?? row.severity,
            })
            .execute(),
        ),
      ).rejects.toMatchObject({ code: 'store_constraint' });
    }
    expect(await errors.find(envelope.errorId)).toBeUndefined();
  });

  test('retention removes what is past the cut-off, over month ends and leap days, and nothing else can (part of F9)', async () => {
    const late = workspace();
    const envelopes = [1, 59, 60, 61, 365].map((days) => ({ days, envelope: late.domain.emit(failed) }));
    for (const { days, envelope } of envelopes) {
      await openErrorStore(store, late.workspaceId, { now: () => now - days * day - 1 }).persist(envelope);
    }
    const other = workspace({ now: () => now - 400 * day });
    await other.errors.persist(other.domain.emit(failed));
    const cutOff = now - 60 * day;
    // 60 days before noon of 29 February 2024 is noon of 31 December 2023.
    expect(new Date(cutOff / 1000).toISOString()).toBe('2023-12-31T12:00:00.000Z');
    expect(await late.errors.cleanup({ keepDays: 60, dryRun: true })).toMatchObject({
      removed: 3,
      kept: 2,
      dryRun: true,
    });
    expect(await rows(late.workspaceId)).toBe(5);
    expect(await late.errors.cleanup({ keepDays: 60 })).toMatchObject({ cutOff, removed: 3, kept: 2, dryRun: false });
    expect(await late.errors.cleanup({ keepDays: 60 })).toMatchObject({ removed: 0, kept: 2 });
    expect([await rows(late.workspaceId), await rows(other.workspaceId)]).toEqual([2, 1]);
    await expect(late.errors.cleanup({ keepDays: 0 })).rejects.toMatchObject({ code: 'invalid_argument' });
  });

  test('a window does not let anything go that is on this side of its cut-off, or younger than a day (part of F9)', async () => {
    const real = { now: () => Date.now() * 1000 };
    const young = workspace(real);
    await young.errors.persist(young.domain.emit(failed));
    const old = workspace({ now: () => real.now() - 10 * day });
    await old.errors.persist(old.domain.emit(failed));
    const openAndDelete = (cutOff: number, workspaceId: string) =>
      store.write(async (tx) => {
        await tx.db
          .insertInto('retention_window')
          .values({ table_name: 'infra_error_events', cut_off: cutOff })
          .execute();
        await tx.db.deleteFrom('infra_error_events').where('workspace_id', '=', workspaceId).execute();
      });
    await expect(openAndDelete(real.now() - 20 * day, old.workspaceId)).rejects.toEqual(refused);
    await expect(openAndDelete(real.now() + 20 * day, young.workspaceId)).rejects.toEqual(refused);
    expect([await rows(young.workspaceId), await rows(old.workspaceId)]).toEqual([1, 1]);
  });

  test('F33 pages are half-open, oldest first, without a gap or a repeat, and leave synthetic traffic out', async () => {
    const { workspaceId, errors, domain } = workspace();
    const synthetic = testEmitters({ workspaceId, clock, synthetic: true })('L4', 'runs').emit(failed);
    const envelopes = Array.from({ length: 25 }, (_, index) => at(domain.emit(failed), now + Math.floor(index / 3)));
    await errors.persistBatch([...envelopes, synthetic]);
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await errors.byComponent('runs', { limit: 4, ...(cursor === undefined ? {} : { cursor }) });
      expect(page.envelopes.length).toBeLessThanOrEqual(4);
      seen.push(...page.envelopes.map((envelope) => `${envelope.timestamp}`));
      cursor = page.next ?? undefined;
    } while (cursor !== undefined);
    expect(seen).toEqual(envelopes.map((envelope) => `${envelope.timestamp}`));
    const window = await errors.byComponent('runs', { since: now + 1, until: now + 3 });
    expect(window.envelopes.map((envelope) => envelope.timestamp - now)).toEqual([1, 1, 1, 2, 2, 2]);
    expect((await errors.byComponent('runs', { includeSynthetic: true })).envelopes).toHaveLength(26);
    await expect(errors.byComponent('runs', { cursor: 'x' })).rejects.toMatchObject({ code: 'invalid_argument' });
  });

  test('F33 counts by class and component and a timeline with empty buckets, whose sum is the total', async () => {
    const { workspaceId, errors, domain } = workspace();
    const platform = testEmitters({ workspaceId, clock })('L6', 'store');
    const envelopes = [0, 1, 9, 10, 35, 59].map((offset) => at(domain.emit(failed), now + offset));
    const other = at(platform.emit({ errorClass: 'infra.timeout', severity: 'error', message: 'late' }), now + 36);
    await errors.persistBatch([...envelopes, other, at(domain.emit(failed), now + 60)]);
    const window = { since: now, until: now + 60 };
    expect(await errors.countsByClass(window)).toEqual(
      new Map([
        ['domain.constraint', 6],
        ['infra.timeout', 1],
      ]),
    );
    expect(await errors.countsByComponent(window)).toEqual(
      new Map([
        ['runs', 6],
        ['store', 1],
      ]),
    );
    for (const [bucket, counts] of [
      [10, [3, 1, 0, 2, 0, 1]],
      [25, [4, 2, 1]],
      [60, [7]],
      [1000, [7]],
    ] as const) {
      const buckets = await errors.timeline({ ...window, bucket });
      expect(buckets.map((entry) => entry.count)).toEqual(counts);
      expect(buckets.map((entry) => entry.start)).toEqual(counts.map((__, index) => now + index * bucket));
    }
    for (const wrong of [
      { bucket: 0 },
      { bucket: 0.5 },
      { until: now - 10, bucket: 1 },
      { until: now + day, bucket: 1 },
    ]) {
      await expect(errors.timeline({ ...window, ...{ bucket: 1 }, ...wrong })).rejects.toMatchObject({
        code: 'invalid_argument',
      });
    }
  });

  test('F33 each way to ask uses an index', async () => {
    const { workspaceId, errors, domain } = workspace();
    await errors.persistBatch(
      Array.from({ length: 50 }, () => domain.emit({ ...failed, runId: 'r', decisionId: 'd' })),
    );
    const columns = ['correlation_id', 'run_id', 'decision_id', 'component', 'error_class', 'fingerprint', 'severity'];
    for (const column of columns) {
      const plan = await opened.explain(
        `SELECT * FROM infra_error_events WHERE workspace_id = '${workspaceId}' AND ${column} = 'x' AND timestamp >= 5 AND timestamp < 9 ORDER BY timestamp, id LIMIT 10`,
      );
      expect(plan, column).toContain('infra_error_events_by_');
      expect(plan, column).not.toMatch(/TEMP B-TREE|Sort/);
    }
    expect(await opened.explain('SELECT id FROM infra_error_events WHERE created_at < 5')).toContain('_by_created');
  });

  test('F7 one request is one tree, rebuilt from the spans and envelopes in the store alone', async () => {
    const { workspaceId, errors, domain } = workspace();
    const buffer = new SpanBuffer();
    buffer.attach(spanWriter(store, workspaceId));
    const tree = await correlationScope({ component: 'cli', sink: buffer, inbound: 'garbage' }, async () => {
      const correlation = currentCorrelation();
      await childSpan('step one', () => errors.persist(domain.emit(failed)));
      await correlationScope({ component: 'run-worker' }, () => childSpan('step two', async () => {}));
      return correlation;
    });
    await buffer.flush();
    expect(buffer.lost).toBe(0);
    const spans = await store.read((tx) =>
      tx.db.selectFrom('span').selectAll().where('correlation_id', '=', String(tree?.correlationId)).execute(),
    );
    const name = (id: string | null) => spans.find((span) => span.span_id === id)?.name ?? null;
    expect(spans.map((span) => [span.name, name(span.parent_span_id), span.component]).sort()).toEqual([
      ['cli', null, 'cli'],
      ['run-worker', 'cli', 'run-worker'],
      ['step one', 'cli', 'cli'],
      ['step two', 'run-worker', 'run-worker'],
    ]);
    expect(spans.find((span) => span.name === 'cli')?.note).toBe('inbound traceparent malformed');
    const { envelopes } = await errors.byCorrelation(String(tree?.correlationId));
    expect(envelopes.map((envelope) => name(envelope.spanId))).toEqual(['step one']);
  });

  test('F5 planted secrets are nowhere in the database', async () => {
    const { errors, domain } = workspace();
    const canary = 'c4n4ryInTheDatabase7';
    const planted = `password=${canary} and Bearer ${canary}, postgres://u:${canary}@db/x`;
    await errors.persist(
      domain.emit({
        ...failed,
        message: planted,
        error: new Error(planted, { cause: new Error(planted) }),
        context: { planted, apiKey: canary },
        input: { planted },
        actor: `token=${canary}`,
      }),
    );
    await errors.persist(domain.emit({ ...failed, message: 'a text that is found' }));
    const texts = await everything(opened, store);
    expect(texts).toContain('a text that is found');
    expect(texts).toContain('[redacted:password]');
    expect(texts).not.toContain(canary);
  });
});

test('on PostgreSQL the role the program acts as can neither truncate, nor drop or disable a trigger (part of F9)', async () => {
  const database = await testDatabase();
  const role = `program_${database.connection.database}`;
  const store = await openPostgresStore({ connection: database.connection, role, migrations: envelopeMigrations() });
  const client = new pg.Client(database.connection);
  await client.connect();
  try {
    const errors = openErrorStore(store, 'ws-role', { now: () => now });
    const envelope = testEmitters({ workspaceId: 'ws-role' })('L4', 'runs').emit(failed);
    expect(await errors.persistBatch([envelope, envelope])).toBe(1);
    await client.query(`SET ROLE ${role}`);
    for (const attempt of [
      'TRUNCATE infra_error_events',
      'ALTER TABLE infra_error_events DISABLE TRIGGER ALL',
      'DROP TRIGGER infra_error_events_delete ON infra_error_events',
      'DROP TABLE infra_error_events',
      'SET session_replication_role = replica',
      'DELETE FROM infra_error_events',
      "UPDATE infra_error_events SET message = 'changed'",
    ]) {
      await expect(client.query(attempt), attempt).rejects.toThrow(/permission|owner|waybill:store_immutable/);
    }
    expect(await errors.find(envelope.errorId)).toEqual(envelope);
    expect(await openErrorStore(store, 'ws-role', { now: () => now + 9 * day }).cleanup({ keepDays: 5 })).toMatchObject(
      {
        removed: 1,
      },
    );
  } finally {
    await client.end();
    await store.close();
    await database.drop();
  }
});

/** All bytes of the database: the files themselves, or every column of every row. */
async function everything({ folder }: Opened, store: Store): Promise<string> {
  if (folder !== undefined) {
    const files = await readdir(folder);
    return (await Promise.all(files.map((file) => readFile(join(folder, file), 'latin1')))).join('\n');
  }
  const found = await store.read((tx) => tx.db.selectFrom('infra_error_events').selectAll().execute());
  return JSON.stringify(found);
}
