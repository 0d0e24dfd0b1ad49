import type { RunId } from '../../contract/ids.ts';
import type { AnyWorkflow } from '../../contract/workflow.ts';
import { type SubmitRequest, submitRun } from '../../domain/runs/queue/submit-run.ts';
import type { TestProcess, TestWorld } from '../../domain/runs/testing/engine.ts';
import { RunWorker } from '../run-worker.ts';

/** One process of a test world that works on the queue. */
export interface WorkingProcess extends TestProcess {
  readonly worker: RunWorker;
  /** What the worker reported: the error, and the run it was about. */
  readonly reported: { readonly error: unknown; readonly runId: RunId | null }[];
}

export async function startWorking(
  world: TestWorld,
  options: {
    readonly workflows?: readonly AnyWorkflow[];
    readonly concurrency?: number;
    readonly toolLimits?: Readonly<Record<string, number>>;
  } = {},
): Promise<WorkingProcess> {
  const { workflows, concurrency = 8, toolLimits = {} } = options;
  const process = await world.start(workflows === undefined ? {} : { workflows });
  const reported: WorkingProcess['reported'] = [];
  const worker = new RunWorker({
    engine: process.engine,
    runs: process.runs,
    concurrency,
    toolLimits: new Map(Object.entries(toolLimits)),
    maxQueue: 100_000,
    report: async (error, runId) => void reported.push({ error, runId }),
  });
  worker.start();
  return { ...process, worker, reported };
}

/** Submits a run of a workflow, with everything else as simple as it can be. */
export async function submitTo(
  process: TestProcess,
  request: Partial<SubmitRequest> & Pick<SubmitRequest, 'workflow'>,
  maxQueue = 100_000,
): Promise<RunId> {
  const whole = { input: null, tasks: [], tool: null, priority: 0, actor: 'me', ...request };
  return (await submitRun(process.engine, { maxQueue }, whole)).runId;
}
