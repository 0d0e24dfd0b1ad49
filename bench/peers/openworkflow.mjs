// OpenWorkflow on SQLite, worker and client in one process. Two things are counted in its favour, and a second
// result shows it as it is: a run counts as done when its own completeWorkflowRun has committed (result() polls once a
// second), and in `driven` the worker is told at once that there is work (by itself it polls every 50 to 1000 ms).
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { OpenWorkflow } from 'openworkflow';
import { BackendSqlite } from 'openworkflow/sqlite';
import { measure, readLoad, report } from './measure.mjs';

const load = readLoad();
const driven = process.argv[3] === 'driven';
const file = join(load.data, `openworkflow-${driven ? 'driven' : 'polling'}.db`);
const backend = BackendSqlite.connect(file);
const waiting = new Map();

const complete = backend.completeWorkflowRun.bind(backend);
backend.completeWorkflowRun = async (params) => {
  const run = await complete(params);
  waiting.get(params.workflowRunId)?.(params.output);
  waiting.delete(params.workflowRunId);
  return run;
};

const ow = new OpenWorkflow({ backend });
const workflow = ow.defineWorkflow({ name: 'three-steps' }, async ({ input, step }) => {
  const a = await step.run({ name: 'one' }, () => input.n + 1);
  const b = await step.run({ name: 'two' }, () => a * 2);
  return step.run({ name: 'three' }, () => b - 3);
});
const worker = ow.newWorker({ concurrency: load.inFlight });
if (!driven) await worker.start();

async function once(n) {
  const handle = await workflow.run({ n });
  const done = new Promise((resolve) => waiting.set(handle.workflowRun.id, resolve));
  if (driven) void worker.tick();
  return done;
}

const result = await measure(load, once);
const db = new DatabaseSync(file);
const stored = db.prepare("SELECT count(*) AS n FROM workflow_runs WHERE status IN ('completed', 'succeeded')").get().n;
if (stored !== result.runs) throw new Error(`${stored} runs stored of ${result.runs}`);
const journal = db.prepare('PRAGMA journal_mode').get().journal_mode;
const synchronous = ['OFF', 'NORMAL', 'FULL', 'EXTRA'][db.prepare('PRAGMA synchronous').get().synchronous];
const version = JSON.parse(
  readFileSync(new URL('node_modules/openworkflow/package.json', import.meta.url), 'utf8'),
).version;
report({
  ...result,
  version,
  settings: `node:sqlite, journal_mode=${journal}, synchronous=${synchronous} (its own defaults), ${load.inFlight} workers`,
});
process.exit(0);
