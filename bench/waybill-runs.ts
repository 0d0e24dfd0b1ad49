// Waybill itself, in a process of its own like every peer: the run engine on SQLite, function steps.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import { defineWorkflow } from '../src/contract/define.ts';
import { Runs } from '../src/domain/runs/runs.ts';
import { Projector } from '../src/workers/projector.ts';
import { openEngine } from './open-engine.ts';
import { measure, readLoad, report } from './peers/measure.mjs';

const load = readLoad();
/** With a snapshot of a tree of 100 files before each run, and the evidence files complete before it counts as done. */
const withFiles = process.argv[3] === 'files';

const snapshot = withFiles ? 'list' : 'none';
const workflow = defineWorkflow('three-steps', { input: z.int(), snapshot }, async (run, n) => {
  const a = await run.step('one', { n }, () => n + 1);
  const b = await run.step('two', { a }, () => a * 2);
  return run.step('three', { b }, () => b - 3);
});
const folder = mkdtempSync(join(load.data, 'waybill-'));
const tree = join(folder, 'tree');
mkdirSync(tree);
for (let index = 0; index < 100; index += 1) writeFileSync(join(tree, `${index}.txt`), `file ${index}\n`.repeat(100));
spawnSync('git', ['init', '-q'], { cwd: tree });
const engine = await openEngine(folder, [workflow], tree);
const runs = new Runs(engine);
const projector = new Projector(engine, join(folder, 'runs'), {
  onProblem: (problem) => {
    throw problem;
  },
});

const result = await measure(load, async (n) => {
  const { runId, outcome } = await runs.start({ workflow: workflow.name, input: n, actor: 'local:bench' });
  if (withFiles) projector.follow(runId);
  const ending = await outcome;
  if (ending?.kind !== 'finished' || ending.state !== 'succeeded') throw new Error(JSON.stringify(ending));
  if (withFiles) await projector.finish(runId);
  return ending.output;
});
await projector.close();
await engine.store.close();

const database = new DatabaseSync(engine.file, { readOnly: true });
const stored = database.prepare("SELECT count(*) AS n FROM run WHERE state = 'succeeded'").get()?.n;
if (stored !== result.runs) throw new Error(`${String(stored)} runs stored of ${result.runs}`);
const packageJson = z.object({ version: z.string() });
const { version } = packageJson.parse(JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')));
const extras = withFiles
  ? '; snapshot of 100 files and evidence files for each run'
  : '; no snapshot, evidence on demand';
report({
  ...result,
  version,
  settings: `node:sqlite, journal_mode=wal, synchronous=FULL, hash-chained ledger with receipts${extras}`,
});
