import { WaybillError } from '../../contract/errors.ts';
import type { RunId } from '../../contract/ids.ts';
import type { JsonValue } from '../../contract/json.ts';
import type { AnyWorkflow } from '../../contract/workflow.ts';
import { correlationScope, currentCorrelation } from '../../platform/correlation/correlation.ts';
import { beginRun, cancelUnstarted, modeOf } from './begin-run.ts';
import type { Engine } from './engine.ts';
import { Execution, type RunFacts } from './execution/execution.ts';
import { type Outcome, perform } from './execution/perform.ts';
import { Replay } from './execution/replay.ts';
import { TreeRecorder } from './execution/tree-recorder.ts';
import { findByKey } from './find-by-key.ts';
import { findWorkflow } from './find-workflow.ts';
import { finishedError } from './finished-error.ts';
import { forkOrigin, retryOrigin } from './fork-run.ts';
import { coolingMicros } from './lease/lease.ts';
import { LedgerWriter } from './ledger/ledger-writer.ts';
import { type LoadedRun, loadRun, readReceipts, readRunRow } from './load-run.ts';
import type { KillReport } from './ports.ts';
import type { ClaimedRun } from './queue/claim-runs.ts';
import { RequestInbox } from './request-inbox.ts';
import { factsOf } from './requests.ts';
import { releaseUntouched, resumeRun, type TakenOver, takenUnder, takeOver } from './resume-run.ts';
import { createRun, type NewRun, type RunOrigin } from './start-run.ts';
import { isTerminal, readState } from './states.ts';
import { AgentSessions } from './steps/agent-sessions.ts';
import { snapshotModeOf, toolOfRun, toolWorkflow } from './workflows/tool.ts';

export interface StartRequest {
  readonly workflow: string;
  readonly input: JsonValue;
  readonly tasks?: readonly string[];
  readonly actor: string;
  readonly idempotencyKey?: string;
}

/** A run this process holds, or one that is there already under the same key. */
export interface HeldRun {
  readonly runId: RunId;
  /** False when an earlier request with the same key made it: nothing is executed again. */
  readonly created: boolean;
  /** How this execution ends; rejects with what made it impossible to go on. Null when nothing runs here. */
  readonly outcome: Promise<Outcome> | null;
}

export interface ResumeOptions {
  readonly actor: string;
  readonly acceptDrift?: boolean;
}

/**
 * The runs of one process: starts, resumes, retries and forks them, keeps their leases, and ends them in order.
 * Reading runs and asking things of them needs no holder: see `requests.ts` and `show-run.ts`.
 */
export class Runs {
  readonly #engine: Engine;
  readonly #inbox: RequestInbox;
  readonly #held = new Map<RunId, { readonly execution: Execution; readonly outcome: Promise<Outcome> }>();
  /** On their way to being held. */
  readonly #beginning = new Set<Promise<unknown>>();
  #stopping: string | undefined;

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#inbox = new RequestInbox(engine);
  }

  /** Makes a run and begins it. Resolves when the run is durable; its work goes on in `outcome`. */
  async start(request: StartRequest): Promise<HeldRun> {
    const { tasks, workflow: name, ...rest } = request;
    const workflow = this.workflow(name);
    const tool = await toolOfRun(this.#engine.tools, workflow, request.input);
    const snapshot = tool === null ? workflow.snapshot : snapshotModeOf(tool);
    return this.#create({ ...rest, workflow, snapshot, tasks: tasks ?? [] });
  }

  /**
   * Goes on with a run nobody holds.
   * @throws WaybillError `run_not_found`, `invalid_transition`, `lease_held`, `drift`
   */
  resume(runId: RunId, options: ResumeOptions): Promise<HeldRun> {
    return this.#whileOpen(() => this.#resume(runId, options));
  }

  async #resume(runId: RunId, options: ResumeOptions): Promise<HeldRun> {
    const row = await this.#engine.store.read((tx) => readRunRow(tx, runId));
    const state = readState(row.state);
    if (isTerminal(state)) throw finishedError(runId, state);
    // Before the lease is taken: a run this code cannot go on with stays as it is.
    this.workflow(row.workflow);
    return this.#goOn(await takeOver(this.#engine, runId), options);
  }

  /**
   * Begins, or goes on with, a run whose lease was claimed from the queue. When that is not possible the lease is
   * given back.
   * @throws WaybillError `workflow_not_found`, `drift`, `containment_failed`, or what the store says
   */
  async work(claimed: ClaimedRun): Promise<HeldRun> {
    const { runId, epoch, actor, acceptDrift, begun } = claimed;
    if (begun !== undefined) {
      const { run, ledger, input } = begun;
      const known = { receipts: [], pending: [], tree: null, input, gone: [] };
      // Also when this process is ending: it is interrupted in order then.
      return { runId, created: true, outcome: this.#hold(this.workflow(run.workflow), run, ledger, known) };
    }
    const taken = await takenUnder(this.#engine, claimed);
    try {
      return await this.#whileOpen(() => this.#goOn(taken, { actor: actor ?? taken.loaded.row.actor, acceptDrift }));
    } catch (error) {
      const cooling = this.#stopping === undefined ? coolingMicros : 0;
      await releaseUntouched(this.#engine, taken.before, epoch, cooling).catch(() => {});
      throw error;
    }
  }

  async #goOn(taken: TakenOver, options: ResumeOptions): Promise<HeldRun> {
    const { leases } = this.#engine;
    const { runId, epoch } = taken.ledger;
    // From here on, not only once it is at work: reading a large tree may take longer than a lease lasts. That the
    // lease was lost is what the next append says.
    leases.keep(runId, epoch, () => {});
    try {
      const begun = await this.#begin(taken, options);
      if (!this.#held.has(runId)) leases.release(runId);
      return begun;
    } catch (error) {
      leases.release(runId);
      throw error;
    }
  }

  async #begin(taken: TakenOver, options: ResumeOptions): Promise<HeldRun> {
    const { loaded, ledger, before } = taken;
    const workflow = this.workflow(loaded.row.workflow);
    const { receipts, pending, input } = loaded;
    const runId = ledger.runId;
    const work = (tree: TreeRecorder | null, snapshot: RunFacts['snapshot'], gone: readonly KillReport[]) =>
      this.#hold(workflow, { ...factsOf(loaded), snapshot }, ledger, { receipts, pending, tree, input, gone });
    if (loaded.row.state === 'queued') {
      if (await cancelUnstarted(this.#engine, taken)) return { runId, created: true, outcome: canceled() };
      const { tree, snapshot } = await beginRun(this.#engine, workflow, taken);
      return { runId, created: true, outcome: work(tree, snapshot, []) };
    }
    const { tree, snapshot, gone } = await resumeRun(
      this.#engine,
      { loaded, ledger, before },
      { actor: options.actor, acceptDrift: options.acceptDrift === true },
    );
    return { runId, created: true, outcome: work(tree, snapshot, gone) };
  }

  /** A new run that shares the good receipts of a failed one. @throws WaybillError `run_not_failed`, `drift` */
  async retryFailed(
    runId: RunId,
    options: ResumeOptions & { readonly reason: string; readonly idempotencyKey?: string },
  ): Promise<HeldRun> {
    const loaded = await loadRun(this.#engine.store, runId);
    const named = { runId, kind: 'retry', from: null } as const;
    return this.#derive(loaded, named, options, () => retryOrigin(this.#engine, loaded, options));
  }

  /** A new run that shares the receipts before a step. @throws WaybillError `step_not_found`, `drift` */
  async fork(
    runId: RunId,
    options: ResumeOptions & { readonly from: string; readonly idempotencyKey?: string },
  ): Promise<HeldRun> {
    const loaded = await loadRun(this.#engine.store, runId);
    const named = { runId, kind: 'fork', from: options.from } as const;
    return this.#derive(loaded, named, options, () => forkOrigin(this.#engine, loaded, options));
  }

  /** Ends every run of this process in order: processes first, then the record; all stay resumable. */
  async shutdown(signal: string): Promise<void> {
    this.#stopping = signal;
    // What is being begun at this moment joins those that are held, and is told to stop as it does.
    while (this.#held.size > 0 || this.#beginning.size > 0) {
      const all = [...this.#held.values()];
      for (const { execution } of all) execution.stop({ kind: 'interrupt', signal });
      await Promise.allSettled([...all.map(({ outcome }) => outcome), ...this.#beginning]);
    }
  }

  /** @throws WaybillError `interrupted` when this process is ending */
  async #whileOpen<T>(work: () => Promise<T>): Promise<T> {
    this.#assertOpen();
    const begun = work();
    this.#beginning.add(begun);
    try {
      return await begun;
    } finally {
      this.#beginning.delete(begun);
    }
  }

  /** @throws WaybillError `workflow_not_found`, naming those there are */
  workflow(name: string): AnyWorkflow {
    return findWorkflow(this.#engine.workflows, name);
  }

  async #derive(
    loaded: LoadedRun,
    named: Pick<RunOrigin, 'runId' | 'kind' | 'from'>,
    options: { readonly actor: string; readonly idempotencyKey?: string },
    origin: () => Promise<RunOrigin>,
  ): Promise<HeldRun> {
    const facts = factsOf(loaded);
    const workflow = this.workflow(facts.workflow);
    const request = {
      workflow,
      // What a tool does to the tree was asked of the tool when its run was made.
      snapshot: workflow === toolWorkflow ? modeOf(loaded.row.snapshot_mode) : workflow.snapshot,
      input: loaded.input,
      tasks: facts.tasks,
      actor: options.actor,
      ...(options.idempotencyKey === undefined ? {} : { idempotencyKey: options.idempotencyKey }),
    };
    // The run such a request made may have changed the tree since; asked again, it is still that run.
    const unread = { ...named, reason: null, receipts: [] };
    const earlier = await findByKey(this.#engine, { ...request, origin: unread });
    if (earlier !== undefined) return { runId: earlier, created: false, outcome: null };
    return this.#create({ ...request, origin: await origin() });
  }

  #create(request: NewRun): Promise<HeldRun> {
    return this.#whileOpen(() => this.#make(request));
  }

  async #make(request: NewRun): Promise<HeldRun> {
    const engine = this.#engine;
    const earlier = await findByKey(engine, request);
    if (earlier !== undefined) return { runId: earlier, created: false, outcome: null };
    let created: Awaited<ReturnType<typeof createRun>>;
    try {
      created = await createRun(engine, request);
    } catch (error) {
      // Of two equal requests at once one inserted first: the other finds its run.
      const winner = request.idempotencyKey === undefined ? undefined : await findByKey(engine, request);
      if (winner === undefined) throw error;
      return { runId: winner, created: false, outcome: null };
    }
    const { runId, head, snapshot, root } = created;
    const ledger = new LedgerWriter(engine.store, engine.clock, { runId, epoch: 1, receipts: 0, ...head });
    const run: RunFacts = { runId, workflow: request.workflow.name, tasks: request.tasks, root, snapshot };
    const receipts = request.origin === undefined ? [] : await engine.store.read((tx) => readReceipts(tx, runId));
    const mode = request.snapshot ?? request.workflow.snapshot;
    const tree = mode === 'none' ? null : new TreeRecorder(engine, mode === 'content');
    const outcome = this.#hold(request.workflow, run, ledger, {
      receipts,
      pending: [],
      tree,
      input: created.input,
      gone: [],
    });
    return { runId, created: true, outcome };
  }

  #hold(
    workflow: AnyWorkflow,
    run: RunFacts,
    ledger: LedgerWriter,
    state: Pick<LoadedRun, 'receipts' | 'pending' | 'input'> & {
      readonly tree: TreeRecorder | null;
      readonly gone: readonly KillReport[];
    },
  ): Promise<Outcome> {
    const engine = this.#engine;
    const box: { execution?: Execution } = {};
    const replay = new Replay(state.receipts, state.pending, (error) => box.execution?.stop({ kind: 'error', error }));
    const sessions = new AgentSessions(engine, run.runId, ledger);
    const execution = new Execution({ engine, run, ledger, replay, tree: state.tree, sessions });
    box.execution = execution;
    execution.gone.push(...state.gone);
    execution.beforeRest = () => this.#inbox.serveKeptSignals(run.runId, execution);
    engine.leases.keep(run.runId, ledger.epoch, (error) => execution.stop({ kind: 'error', error }));
    this.#inbox.watch(run.runId, execution);
    if (this.#stopping !== undefined) execution.stop({ kind: 'interrupt', signal: this.#stopping });
    const outcome = inSpan(workflow.name, async () => {
      // In its first epoch a run is this moment old: nobody has asked anything of it.
      if (ledger.epoch > 1) await this.#inbox.serveKeptCancel(run.runId, execution);
      return perform(execution, workflow, state.input);
    }).finally(() => {
      // When its lease was lost and taken again by this same process, all this belongs to the other execution.
      if (this.#held.get(run.runId)?.execution !== execution) return;
      engine.leases.release(run.runId);
      this.#inbox.forget(run.runId);
      this.#held.delete(run.runId);
    });
    // Whoever asked awaits it, perhaps later: until then a failure must not end the process.
    outcome.catch(() => {});
    this.#held.set(run.runId, { execution, outcome });
    return outcome;
  }

  #assertOpen(): void {
    if (this.#stopping === undefined) return;
    throw new WaybillError('interrupted', `this process is ending (${this.#stopping}) and takes no new run`);
  }
}

/** The run as one span of whatever asked for it; a span of its own tree costs time nobody would look at. */
function inSpan<T>(workflow: string, work: () => Promise<T>): Promise<T> {
  return currentCorrelation() === undefined
    ? work()
    : correlationScope({ component: 'runs', name: `run ${workflow}` }, work);
}

function canceled(): Promise<Outcome> {
  return Promise.resolve({ kind: 'finished', state: 'canceled', failure: null, output: null });
}
