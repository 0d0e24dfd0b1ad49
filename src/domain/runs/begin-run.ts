import type { Digest } from '../../contract/ids.ts';
import type { AnyWorkflow } from '../../contract/workflow.ts';
import type { Engine } from './engine.ts';
import { appendCanceled } from './execution/append-canceled.ts';
import { TreeRecorder } from './execution/tree-recorder.ts';
import { sql } from './ledger/statements.ts';
import { commentOf, factsOf, openCancel } from './requests.ts';
import type { TakenOver } from './resume-run.ts';
import { startFacts } from './start-facts.ts';
import { tracedFields } from './start-run.ts';

export interface Begun {
  readonly tree: TreeRecorder | null;
  readonly snapshot: { readonly id: string; readonly digest: Digest } | null;
}

/**
 * Starts a run that was queued, under our lease: where it comes from is read now, and one commit moves it to `running`
 * with the event that says so.
 */
export async function beginRun(
  engine: Engine,
  workflow: AnyWorkflow,
  { ledger, loaded }: Pick<TakenOver, 'ledger' | 'loaded'>,
): Promise<Begun> {
  const { row, input } = loaded;
  const mode = modeOf(row.snapshot_mode);
  const { snapshot, data, also } = await startFacts(engine, workflow, { mode, input });
  const { tasks, actor } = { tasks: factsOf(loaded).tasks, actor: row.actor };
  await ledger.append({
    events: [
      {
        type: 'run.started',
        ...tracedFields(),
        data: { workflow: row.workflow, tasks: [...tasks], actor, epoch: ledger.epoch, ...data },
      },
    ],
    also,
    tree: snapshot?.digest ?? null,
    change: { kind: 'begin', snapshot },
  });
  return { tree: mode === 'none' ? null : new TreeRecorder(engine, mode === 'content'), snapshot };
}

const anyOpen = sql('SELECT 1 FROM run_request WHERE run = ? AND done_at IS NULL LIMIT 1');

/** Ends a queued run that was canceled before anybody began it: it is never started. */
export async function cancelUnstarted(
  engine: Engine,
  { ledger, loaded }: Pick<TakenOver, 'ledger' | 'loaded'>,
): Promise<boolean> {
  const [open] = await engine.store.select(anyOpen, [ledger.runId]);
  if (open === undefined) return false;
  const request = await openCancel(engine, ledger.runId);
  if (request === undefined) return false;
  const { id, actor } = request;
  await appendCanceled(engine, factsOf(loaded), ledger, {
    request: id,
    actor,
    comment: commentOf(request),
    gone: [],
    before: [],
  });
  return true;
}

/** The mode as a run's row has it. */
export function modeOf(text: string): AnyWorkflow['snapshot'] {
  return text === 'none' || text === 'content' ? text : 'list';
}
