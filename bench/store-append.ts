/**
 * How fast the store appends, beside the limit of what is below it: the same rows into the same table with bare
 * `node:sqlite`, 100 a commit, no logic at all. Rounds alternate, so that what else the machine does hits both;
 * medians are printed. `node bench/store-append.ts [rows] [rounds]`
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { openSqliteStore } from '../src/platform/store/sqlite/open.ts';
import type { PreparedSql, SqlValue, Store } from '../src/platform/store/store.ts';
import { median } from './engine-result.ts';

const rows = Number(process.argv[2] ?? 50_000);
const rounds = Number(process.argv[3] ?? 5);
const lanes = 50;
const tables = `
  CREATE TABLE bench_event (id INTEGER PRIMARY KEY, run TEXT NOT NULL, seq INTEGER NOT NULL, body TEXT NOT NULL) STRICT;
  CREATE UNIQUE INDEX bench_event_by_seq ON bench_event (run, seq);`;
const insert: PreparedSql = { sqlite: 'INSERT INTO bench_event (run, seq, body) VALUES (?, ?, ?)', postgres: '' };
const body = JSON.stringify({ type: 'step.finished', data: 'x'.repeat(260) });

/** Row `index` of a round, as one of its lanes would write it. */
function row(round: string, index: number): SqlValue[] {
  return [`${round}-${index % lanes}`, 1 + Math.floor(index / lanes), body];
}

function perSecond(work: () => void): number {
  const start = performance.now();
  work();
  return (rows / (performance.now() - start)) * 1000;
}

function bare(database: DatabaseSync, round: string): number {
  const [begin, statement, commit] = ['BEGIN IMMEDIATE', insert.sqlite, 'COMMIT'].map((sql) => database.prepare(sql));
  return perSecond(() => {
    for (let index = 0; index < rows; ) {
      begin?.run();
      for (const end = Math.min(rows, index + 100); index < end; index++) statement?.run(...row(round, index));
      commit?.run();
    }
  });
}

async function submitted(store: Store, round: string, inFlight: number, count: number): Promise<number> {
  let next = 0;
  const start = performance.now();
  await Promise.all(
    Array.from({ length: inFlight }, async () => {
      while (next < count) {
        const values = row(round, next++);
        await store.submit({ statements: [{ sql: insert, rows: [values], expectChanges: 1 }] });
      }
    }),
  );
  return (count / (performance.now() - start)) * 1000;
}

const folder = mkdtempSync(join(tmpdir(), 'waybill-bench-'));
try {
  const database = new DatabaseSync(join(folder, 'bare.db'));
  database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; ${tables}`);
  const migrations = [{ feature: 'bench', number: 1, name: 'tables', sqlite: tables, postgres: '' }];
  const store = await openSqliteStore({ path: join(folder, 'waybill.db'), migrations });
  const results: Record<string, number[]> = {
    'bare, 100 a commit': [],
    'submit, 100 in flight': [],
    'submit, 50 in flight': [],
    'submit, one at a time': [],
  };
  for (let round = 0; round <= rounds; round++) {
    const measured = {
      'bare, 100 a commit': bare(database, `r${round}`),
      'submit, 100 in flight': await submitted(store, `a${round}`, 100, rows),
      'submit, 50 in flight': await submitted(store, `b${round}`, 50, rows),
      'submit, one at a time': await submitted(store, `c${round}`, 1, Math.ceil(rows / 50)),
    };
    // The first round warms caches and compilers.
    if (round > 0) for (const [name, value] of Object.entries(measured)) results[name]?.push(value);
  }
  await store.close();
  database.close();
  const limit = median(results['bare, 100 a commit'] ?? []);
  for (const [name, values] of Object.entries(results)) {
    const value = median(values);
    console.log(
      `${name.padEnd(24)} ${String(Math.round(value)).padStart(8)} rows/s  ${(value / limit).toFixed(2)} of the limit`,
    );
  }
} finally {
  rmSync(folder, { recursive: true });
}
