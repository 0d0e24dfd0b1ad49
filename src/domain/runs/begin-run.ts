import type { Digest } from '../../contract/ids.ts';
import type { JsonValue } from '../../contract/json.ts';
import type { AnyWorkflow } from '../../contract/workflow.ts';
import type { OperationStatement } from '../../platform/store/store.ts';
import type { Engine } from './engine.ts';
import { appendCanceled } from './execution/append-canceled.ts';
import type { RunFacts } from './execution/execution.ts';
import { TreeRecorder } from './execution/tree-recorder.ts';
import type { InsertedRun } from './insert-run.ts';
import { type Append, LedgerWriter } from './ledger/ledger-writer.ts';
import { sql } from './ledger/statements.ts';
import { commentOf, factsOf, openCancel } from './requests.ts';
import type { TakenOver } from './resume-run.ts';
import { type StartFacts, startFacts } from './start-facts.ts';
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
  const facts = await startFacts(engine, workflow, { mode, input });
  const asked = { workflow: row.workflow, tasks: factsOf(loaded).tasks, actor: row.actor };
  await ledger.append(beginning(asked, ledger.epoch, facts));
  const { snapshot } = facts;
  return { tree: mode === 'none' ? null : new TreeRecorder(engine, mode === 'content'), snapshot };
}

/** The event that starts a run, and what becomes of its row with it. */
function beginning(
  asked: { readonly workflow: string; readonly tasks: readonly string[]; readonly actor: string },
  epoch: number,
  { snapshot, data, also }: StartFacts,
): Append {
  const { workflow, tasks, actor } = asked;
  return {
    events: [{ type: 'run.started', ...tracedFields(), data: { workflow, tasks: [...tasks], actor, epoch, ...data } }],
    also,
    tree: snapshot?.digest ?? null,
    change: { kind: 'begin', snapshot },
  };
}

/** A run that was begun in the commit that made it: all that working on it needs is known and need not be read. */
export interface BegunRun {
  readonly run: RunFacts;
  readonly ledger: LedgerWriter;
  readonly input: JsonValue;
}

/** Begins a run that is being made and held by this process; gives the rows that follow those that make it. */
export function beginAtOnce(
  engine: Engine,
  { runId, root, digest, createdAt }: InsertedRun,
  asked: {
    readonly workflow: string;
    readonly tasks: readonly string[];
    readonly actor: string;
    readonly input: JsonValue;
  },
  facts: StartFacts,
): BegunRun & { readonly rows: readonly OperationStatement[] } {
  const ledger = new LedgerWriter(engine.store, engine.clock, {
    runId,
    epoch: 1,
    seq: 1,
    digest,
    receipts: 0,
    tree: null,
  });
  const rows = ledger.prepare(beginning(asked, ledger.epoch, facts), createdAt);
  const { workflow, tasks, input } = asked;
  return { run: { runId, workflow, tasks, root, snapshot: facts.snapshot }, ledger, input, rows };
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
