import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { defineWorkflow } from '../src/contract/define.ts';
import type { RunId } from '../src/contract/ids.ts';
import type { Engine } from '../src/domain/runs/engine.ts';
import { LedgerWriter } from '../src/domain/runs/ledger/ledger-writer.ts';
import { createRun } from '../src/domain/runs/start-run.ts';
import { median } from './engine-result.ts';
import { openEngine } from './open-engine.ts';

export interface EventRates {
  /** Events a second: bare `node:sqlite`, the same rows, 100 a commit, no logic. */
  readonly limit: number;
  readonly appended: number;
  readonly appendedAlone: number;
  readonly events: number;
  readonly runs: number;
}

const workflow = defineWorkflow('events', { snapshot: 'none' }, async () => null);

/** A run of its own, and the writer of its ledger. */
export async function openLedger(engine: Engine): Promise<{ readonly runId: RunId; readonly ledger: LedgerWriter }> {
  const { runId, head } = await createRun(engine, { workflow, input: null, tasks: [], actor: 'local:bench' });
  const ledger = new LedgerWriter(engine.store, engine.clock, { runId, epoch: 1, receipts: 0, ...head });
  return { runId, ledger };
}

export const logLine = { type: 'agent.log', data: { level: 'info', message: 'reading '.repeat(30) } } as const;

/** R32: events appended one by one to many runs, each in order and chained, beside the store's own limit. */
export async function measureEvents(data: string, events: number, rounds: number): Promise<EventRates> {
  const runs = 50;
  const engine = await openEngine(mkdtempSync(join(data, 'events-')), [workflow]);
  const [appended, alone, limit]: number[][] = [[], [], []];
  for (let round = 0; round <= rounds; round += 1) {
    const ledgers = await Promise.all(Array.from({ length: runs }, () => openLedger(engine)));
    const each = Math.ceil(events / runs);
    const together = await perSecond(each * runs, () =>
      Promise.all(ledgers.flatMap(({ ledger }) => [appendInOrder(ledger, each / 2), appendInOrder(ledger, each / 2)])),
    );
    const one = await openLedger(engine);
    const few = Math.ceil(events / 50);
    const single = await perSecond(few, () => appendInOrder(one.ledger, few));
    const rows = rowsOf(engine.file, new Set(ledgers.map(({ runId }) => runId)));
    const bare = await perSecond(rows.length, async () => insertBare(join(data, `bare-${round}.db`), rows));
    // The first round warms caches and compilers.
    if (round === 0) continue;
    appended?.push(together);
    alone?.push(single);
    limit?.push(bare);
  }
  await engine.store.close();
  return {
    limit: median(limit ?? []),
    appended: median(appended ?? []),
    appendedAlone: median(alone ?? []),
    events,
    runs,
  };
}

async function appendInOrder(ledger: LedgerWriter, count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) await ledger.append({ events: [logLine] });
}

async function perSecond(count: number, work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (count / (performance.now() - start)) * 1000;
}

type Row = [string, number, string, string, string];

function rowsOf(file: string, runs: ReadonlySet<string>): Row[] {
  const database = new DatabaseSync(file, { readOnly: true });
  const all = database.prepare('SELECT run, seq, type, body, digest FROM run_event ORDER BY id').all();
  database.close();
  return all
    .filter(({ run }) => runs.has(String(run)))
    .map(({ run, seq, type, body, digest }) => [String(run), Number(seq), String(type), String(body), String(digest)]);
}

/** The floor: the same rows, table and index, the same durability, and nothing else. */
function insertBare(file: string, rows: readonly Row[]): void {
  const database = new DatabaseSync(file);
  database.exec(`
    PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
    CREATE TABLE run_event (id INTEGER PRIMARY KEY, run TEXT NOT NULL, seq INTEGER NOT NULL, type TEXT NOT NULL,
      body TEXT NOT NULL, digest TEXT NOT NULL) STRICT;
    CREATE UNIQUE INDEX run_event_by_seq ON run_event (run, seq);`);
  const insert = database.prepare('INSERT INTO run_event (run, seq, type, body, digest) VALUES (?, ?, ?, ?, ?)');
  for (let index = 0; index < rows.length; ) {
    database.exec('BEGIN IMMEDIATE');
    for (const end = Math.min(rows.length, index + 100); index < end; index += 1) insert.run(...(rows[index] ?? []));
    database.exec('COMMIT');
  }
  database.close();
}
