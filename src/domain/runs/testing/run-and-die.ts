import type { Receipt } from '../../../contract/evidence.ts';
import { parseId, type RunId } from '../../../contract/ids.ts';
import type { Store } from '../../../platform/store/store.ts';
import { loadRun } from '../load-run.ts';
import type { StartRequest } from '../runs.ts';
import { openTestWorld, type TestProcess, type TestWorld, type TestWorldOptions } from './engine.ts';

/** What is left of a run that crashed once and was resumed. */
export interface Crashed {
  readonly runId: RunId;
  readonly died: boolean;
  readonly state: string;
  readonly output: string | null;
  readonly receipts: readonly Receipt[];
  /** Durable writes of the first process. */
  readonly operations: number;
  /** What the ledger knew when the first process died. */
  readonly before: { readonly receipts: readonly Receipt[]; readonly inFlight: readonly string[] };
}

/** Starts a run, dies right after its `deathAt`-th durable write, and goes on with it in another process. */
export async function runAndDie(
  options: (world: () => TestWorld) => TestWorldOptions,
  request: StartRequest,
  deathAt: number,
): Promise<Crashed> {
  const box: { world?: TestWorld } = {};
  const made = options(() => {
    if (box.world === undefined) throw new Error('the world is not made yet');
    return box.world;
  });
  await using world = await openTestWorld(made);
  box.world = world;
  const first = await world.start();
  const death = Promise.withResolvers<undefined>();
  const counter = dieAfter(first, deathAt, () => death.resolve(undefined));
  const run = await Promise.race([first.runs.start(request), death.promise]);
  if (run?.outcome) await Promise.race([run.outcome, death.promise]);
  const second = await world.start();
  const runId = await onlyRun(second);
  const before = await loadRun(second.engine.store, runId);
  if (before.row.state === 'running') await (await second.runs.resume(runId, { actor: 'me' })).outcome;
  const after = await loadRun(second.engine.store, runId);
  return {
    runId,
    died: counter.dead,
    state: after.row.state,
    output: after.row.output,
    receipts: after.receipts.map((each) => each.receipt),
    operations: counter.count,
    before: {
      receipts: before.receipts.map((each) => each.receipt),
      inFlight: before.pending.map((each) => each.idempotencyKey),
    },
  };
}

function dieAfter(process: TestProcess, deathAt: number, died: () => void): { count: number; dead: boolean } {
  const counter = { count: 0, dead: false };
  const store: { submit: Store['submit'] } = process.engine.store;
  const submit = store.submit.bind(process.engine.store);
  store.submit = async (operation) => {
    const place = ++counter.count;
    await submit(operation);
    if (place === deathAt) {
      counter.dead = true;
      process.die();
      died();
    }
    if (counter.dead) await new Promise(() => {});
  };
  return counter;
}

async function onlyRun(process: TestProcess): Promise<RunId> {
  const rows = await process.engine.store.read((tx) => tx.db.selectFrom('run').select('id').execute());
  return parseId('run', rows[0]?.id);
}

/** What must be equal whether the run crashed or not: everything of a receipt but its run, times, places and tries. */
export function substance(receipt: Receipt) {
  const { action, step, idempotencyKey, snapshot, inputs, outcome, outputs, failure } = receipt;
  return { action, step, idempotencyKey, snapshot, inputs, outcome, outputs, failure };
}
