// R33: a run with a long ledger whose holder is dead is resumed in a process of its own. Three modes, each one
// process: `make` writes the ledger and dies, `idle` loads the same code and opens the same store, `resume` resumes.
import { DatabaseSync } from 'node:sqlite';
import { defineWorkflow } from '../src/contract/define.ts';
import { parseId } from '../src/contract/ids.ts';
import { LedgerWriter } from '../src/domain/runs/ledger/ledger-writer.ts';
import { Runs } from '../src/domain/runs/runs.ts';
import { createRun } from '../src/domain/runs/start-run.ts';
import { logLine } from './events.ts';
import { openEngine } from './open-engine.ts';

const [mode, folder = '.', count = '0'] = process.argv.slice(2);
const workflow = defineWorkflow('long', { snapshot: 'none' }, async (run) => run.step('last', {}, () => 'done'));
const engine = await openEngine(folder, [workflow]);

/** Kilobytes this process had in memory at most. */
const peak = () => process.resourceUsage().maxRSS;

switch (mode) {
  case 'make': {
    const { runId, head } = await createRun(engine, { workflow, input: null, tasks: [], actor: 'local:bench' });
    const ledger = new LedgerWriter(engine.store, engine.clock, { runId, epoch: 1, receipts: 0, ...head });
    const batch = Array.from({ length: 500 }, () => logLine);
    for (let written = 1; written < Number(count); written += batch.length) await ledger.append({ events: batch });
    console.log(JSON.stringify({ runId }));
    process.kill(process.pid, 'SIGKILL');
    break;
  }
  case 'idle':
    console.log(JSON.stringify({ peak: peak() }));
    break;
  case 'resume': {
    const runId = parseId('run', process.argv[5]);
    const start = performance.now();
    const { outcome } = await new Runs(engine).resume(runId, { actor: 'local:bench' });
    const took = performance.now() - start;
    const ending = await outcome;
    if (ending?.kind !== 'finished' || ending.state !== 'succeeded') throw new Error(JSON.stringify(ending));
    const finished = performance.now() - start;
    const database = new DatabaseSync(engine.file, { readOnly: true });
    const events = database.prepare('SELECT max(seq) AS n FROM run_event WHERE run = ?').get(runId)?.n;
    console.log(JSON.stringify({ resumed: took, finished, peak: peak(), events }));
    break;
  }
  default:
    throw new Error(`unknown mode ${mode}`);
}
await engine.store.close();
