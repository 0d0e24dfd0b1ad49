import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { testDatabase } from '../../../test/postgres/test-database.ts';
import { correlationScope, currentCorrelation, currentTraceparent } from '../correlation/correlation.ts';
import { openPostgresStore } from '../store/postgres/open.ts';
import { openSqliteStore } from '../store/sqlite/open.ts';
import type { Operation, PreparedSql, Store, WriteTx } from '../store/store.ts';
import type { AuditRecord } from './audit.ts';
import { commit, commitOperation, type Told } from './commit.ts';
import { journalMigrations } from './migrations.ts';
import type { OutboxEntry } from './outbox.ts';

const thing = {
  feature: 'things',
  number: 1,
  name: 'things',
  sqlite: 'CREATE TABLE thing (name TEXT PRIMARY KEY NOT NULL) STRICT',
  postgres: 'CREATE TABLE thing (name TEXT COLLATE "C" PRIMARY KEY NOT NULL)',
};
declare module '../store/store.ts' {
  interface Database {
    thing: { name: string };
  }
}
const insertThing: PreparedSql = {
  sqlite: 'INSERT INTO thing (name) VALUES (?)',
  postgres: 'INSERT INTO thing (name) VALUES ($1)',
};

interface Opened {
  readonly store: Store;
  readonly folder: string | undefined;
  close(): Promise<void>;
}

async function sqlite(): Promise<Opened> {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-journal-'));
  const store = await openSqliteStore({
    path: join(folder, 'waybill.db'),
    migrations: [...journalMigrations(), thing],
  });
  const close = async (): Promise<void> => {
    await store.close();
    await rm(folder, { recursive: true, force: true });
  };
  return { store, folder, close };
}

async function postgres(): Promise<Opened> {
  const database = await testDatabase();
  const migrations = [...journalMigrations(), thing];
  const store = await openPostgresStore({ connection: database.connection, migrations });
  const close = async (): Promise<void> => {
    await store.close();
    await database.drop();
  };
  return { store, folder: undefined, close };
}

const at = 1_700_000_000_000_000;
const audit = (resource: string): AuditRecord => ({
  at,
  actor: 'local:0',
  action: 'repo.made',
  resource,
  outcome: 'succeeded',
});
const event = (aggregate: string, seq: number): OutboxEntry => ({
  aggregate,
  seq,
  type: 'waybill.thing.made.v1',
  payload: { b: 1, a: [aggregate] },
  at,
});

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

  const ways: readonly (readonly [string, (name: string, told: Told) => Promise<void>])[] = [
    [
      'an operation',
      (name, told) => store.submit(commitOperation({ change: [{ sql: insertThing, rows: [[name]] }], ...told })),
    ],
    [
      'a scope',
      (name, told) =>
        store.write((tx) =>
          commit(tx, {
            change: async () => void (await tx.db.insertInto('thing').values({ name }).execute()),
            ...told,
          }),
        ),
    ],
  ];
  const found = (name: string) =>
    store.read(async (tx) => {
      const things = await tx.db.selectFrom('thing').selectAll().where('name', '=', name).execute();
      const audits = await tx.db.selectFrom('audit').selectAll().where('resource', '=', name).execute();
      const events = await tx.db.selectFrom('outbox').selectAll().where('aggregate', '=', name).execute();
      return { things: things.length, audits, events };
    });

  test.each([0, 1])(
    'a change, its outbox event and its audit record commit together, in one tree (way %i)',
    async (index) => {
      const [label, write] = ways[index] ?? ['', () => Promise.reject(new Error('no such way'))];
      const name = `together by ${label}`;
      const place = await correlationScope({ component: 'runs' }, async () => {
        await write(name, { audit: [audit(name)], outbox: [event(name, 1), event(name, 2)] });
        return { correlation: currentCorrelation()?.correlationId, traceparent: currentTraceparent() };
      });
      const { things, audits, events } = await found(name);
      expect(things).toBe(1);
      expect(audits).toMatchObject([
        { at, actor: 'local:0', action: 'repo.made', outcome: 'succeeded', reason: null, details: null },
      ]);
      expect(audits[0]?.correlation_id).toBe(place.correlation);
      expect(events.map((row) => [row.aggregate_seq, row.payload, row.traceparent, row.delivered_at])).toEqual(
        [1, 2].map((seq) => [seq, `{"a":["${name}"],"b":1}`, place.traceparent, null]),
      );
    },
  );

  test.each([0, 1])(
    'when one part is refused nothing is left: not the change, not the event, not the record (way %i)',
    async (index) => {
      const [label, write] = ways[index] ?? ['', () => Promise.reject(new Error('no such way'))];
      const name = `torn by ${label}`;
      await write(`${name} before`, { outbox: [event(name, 1)] });
      const told: readonly Told[] = [
        { audit: [audit(name)], outbox: [event(name, 2), event(name, 1)] },
        { outbox: [event(name, 2)], audit: [audit(name), { ...audit(name), at: Number.NaN }] },
      ];
      for (const part of told) await expect(write(name, part)).rejects.toMatchObject({ code: expect.any(String) });
      const wrongChange: Operation = commitOperation({
        events: [{ sql: insertThing, rows: [[`${name} event`]] }],
        change: [{ sql: insertThing, rows: [[`${name} before`]] }],
        audit: [audit(name)],
        outbox: [event(name, 2)],
      });
      await expect(store.submit(wrongChange)).rejects.toMatchObject({ code: 'store_constraint' });
      const left = await found(name);
      expect([left.things, left.audits.length, left.events.length]).toEqual([0, 0, 1]);
      expect((await found(`${name} event`)).things).toBe(0);
    },
  );

  test('the audit is append-only, an outbox event is only ever marked as delivered', async () => {
    const name = 'immutable';
    await store.submit(commitOperation({ change: [], audit: [audit(name)], outbox: [event(name, 1)] }));
    const { audits } = await found(name);
    const [record] = audits;
    if (record === undefined) throw new Error('no record');
    const attempts: ((tx: WriteTx) => Promise<unknown>)[] = [
      (tx) => tx.db.updateTable('audit').set({ actor: 'someone else' }).execute(),
      (tx) => tx.db.deleteFrom('audit').execute(),
      (tx) => tx.db.updateTable('outbox').set({ payload: '{}' }).execute(),
    ];
    if (store.engine === 'sqlite') {
      attempts.push((tx) =>
        tx.db
          .insertInto('audit')
          .orReplace()
          .values({ ...record, actor: 'x' })
          .execute(),
      );
    }
    for (const attempt of attempts) {
      await expect(store.write(async (tx) => void (await attempt(tx)))).rejects.toMatchObject({
        code: 'store_immutable',
      });
    }
    const truncate = store.write((tx) => sql`TRUNCATE audit`.execute(tx.db));
    await expect(truncate).rejects.toMatchObject({ code: expect.any(String) });
    await store.write(async (tx) => {
      await tx.db.updateTable('outbox').set({ delivered_at: at }).where('aggregate', '=', name).execute();
    });
    const after = await found(name);
    expect(after.audits).toEqual(audits);
    expect(after.events.map((row) => row.delivered_at)).toEqual([at]);
  });

  test('R28 F5 secrets are redacted in details, reasons and payloads; nothing of them is in the database', async () => {
    const canary = 'c4n4ryInTheJournal7';
    const name = 'redacted';
    await store.submit(
      commitOperation({
        change: [],
        audit: [
          {
            ...audit(name),
            outcome: 'refused',
            reason: `password=${canary}`,
            details: { apiKey: canary, note: 'kept \0 \ud800' },
          },
        ],
        outbox: [{ ...event(name, 1), payload: { header: `Bearer ${canary}`, token: canary, text: '\0' } }],
      }),
    );
    const { audits, events } = await found(name);
    expect(audits).toMatchObject([
      { outcome: 'refused', reason: 'password=[redacted:password]', correlation_id: null },
    ]);
    expect(audits[0]?.details).toContain('[redacted:key]');
    expect(events[0]?.payload).toContain('[redacted:bearer]');
    const files = opened.folder === undefined ? [] : await readdir(opened.folder);
    const bytes = await Promise.all(files.map((file) => readFile(join(opened.folder ?? '', file), 'latin1')));
    const all = `${bytes.join('\n')}${JSON.stringify({ audits, events })}`;
    expect(all).toContain('[redacted:bearer]');
    expect(all).not.toContain(canary);
  });
});
