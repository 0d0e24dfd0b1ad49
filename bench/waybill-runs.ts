// Waybill itself, in a process of its own like every peer: the run engine on SQLite, function steps, no snapshot.
import { mkdtempSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import { defineWorkflow } from '../src/contract/define.ts';
import { Runs } from '../src/domain/runs/runs.ts';
import { openEngine } from './open-engine.ts';
import { measure, readLoad, report } from './peers/measure.mjs';

const load = readLoad();
const workflow = defineWorkflow('three-steps', { input: z.int(), snapshot: 'none' }, async (run, n) => {
  const a = await run.step('one', { n }, () => n + 1);
  const b = await run.step('two', { a }, () => a * 2);
  return run.step('three', { b }, () => b - 3);
});
const engine = await openEngine(mkdtempSync(join(load.data, 'waybill-')), [workflow]);
const runs = new Runs(engine);

const result = await measure(load, async (n) => {
  const { outcome } = await runs.start({ workflow: workflow.name, input: n, actor: 'local:bench' });
  const ending = await outcome;
  if (ending?.kind !== 'finished' || ending.state !== 'succeeded') throw new Error(JSON.stringify(ending));
  return ending.output;
});
await engine.store.close();

const database = new DatabaseSync(engine.file, { readOnly: true });
const stored = database.prepare("SELECT count(*) AS n FROM run WHERE state = 'succeeded'").get()?.n;
if (stored !== result.runs) throw new Error(`${String(stored)} runs stored of ${result.runs}`);
const packageJson = z.object({ version: z.string() });
const { version } = packageJson.parse(JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')));
report({
  ...result,
  version,
  settings: 'node:sqlite, journal_mode=wal, synchronous=FULL, hash-chained ledger with receipts',
});
