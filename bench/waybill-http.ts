// Waybill over HTTP: `waybill serve` in a process of its own, the client here. A run is submitted and its result is the
// answer of the same request, which comes when the run is terminal (`waitMs`).
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import { connectTo, makeDaemonWorkspace, startDaemon } from './daemon.ts';
import { measure, readLoad, report } from './peers/measure.mjs';

const load = readLoad();
const workspace = makeDaemonWorkspace(load.data);
const daemon = await startDaemon(workspace);
const call = connectTo(daemon, load.inFlight);

const result = await measure(load, async (n) => {
  const answer = await call('POST', '/v1/runs?waitMs=10000', { tool: 'noop', input: n });
  return typeof answer === 'object' && answer !== null && 'output' in answer ? answer.output : answer;
});
const { version } = z.object({ version: z.string() }).parse(await call('GET', '/v1/capabilities'));
await daemon.stop();

const database = new DatabaseSync(join(workspace, '.waybill', 'waybill.db'), { readOnly: true });
const stored = database.prepare("SELECT count(*) AS n FROM run WHERE state = 'succeeded'").get()?.n;
if (stored !== result.runs) throw new Error(`${String(stored)} runs stored of ${result.runs}`);
const steps = database.prepare('SELECT count(*) AS n FROM receipt').get()?.n;
if (steps !== result.runs) throw new Error(`${String(steps)} receipts of ${result.runs} runs`);
report({
  ...result,
  version,
  settings:
    '`waybill serve` on node:sqlite, journal_mode=wal, synchronous=FULL, concurrency 50; a `function` tool, schemas checked in and out; POST /v1/runs?waitMs= on connections that stay open',
});
process.exit(0);
