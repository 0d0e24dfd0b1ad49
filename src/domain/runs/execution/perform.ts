import { setTimeout as delay } from 'node:timers/promises';
import { WaybillError } from '../../../contract/errors.ts';
import type { Failure } from '../../../contract/evidence.ts';
import type { JsonValue } from '../../../contract/json.ts';
import { StepError } from '../../../contract/step-error.ts';
import type { AnyWorkflow } from '../../../contract/workflow.ts';
import { asStored } from '../../../platform/canonical-json/as-stored.ts';
import { canonicalJson } from '../../../platform/canonical-json/canonical-json.ts';
import type { Micros } from '../../../platform/clock/clock.ts';
import { displayStep } from '../keys/step-key.ts';
import { coolingMicros } from '../lease/lease.ts';
import * as statements from '../ledger/statements.ts';
import type { TerminalState } from '../states.ts';
import { keepOutputs } from '../steps/receipt.ts';
import { appendCanceled } from './append-canceled.ts';
import type { Execution, StopReason } from './execution.ts';
import { failureOf } from './failure.ts';
import { ScopedRun } from './run-context.ts';
import { runEnded } from './run-ended.ts';

/** How one execution ended: the run is finished, or it rests and can go on later. */
export type Outcome =
  | {
      readonly kind: 'finished';
      readonly state: TerminalState;
      readonly failure: Failure | null;
      readonly output: JsonValue;
    }
  | { readonly kind: 'waiting'; readonly wakeAt: Micros | null }
  | { readonly kind: 'paused' }
  | { readonly kind: 'interrupted'; readonly signal: string };

type Ending = { readonly output: JsonValue } | { readonly failure: Failure } | { readonly stop: StopReason };

/** What in-process code that ignores its signal may still take before the run ends without it. */
const patienceMs = 10_000;

/**
 * Runs the workflow function once, from its first line, until it ends or the execution is told to stop, and
 * writes the event that says so. Everything the run started is gone before that event.
 * @throws what made it impossible to go on: `lease_lost`, `nondeterministic_workflow`, errors of the store
 */
export async function perform(execution: Execution, workflow: AnyWorkflow, input: JsonValue): Promise<Outcome> {
  try {
    // Told to stop before it began (a cancel that was waiting, a process that is ending): nothing is executed.
    const told = execution.stopReason;
    const ending = told === undefined ? await untilEnd(execution, workflow, input) : { stop: told };
    if ('stop' in ending) return await stopped(execution, ending.stop);
    return await finished(execution, ending);
  } catch (error) {
    await giveBack(execution);
    throw error;
  } finally {
    execution.dispose();
  }
}

async function untilEnd(execution: Execution, workflow: AnyWorkflow, input: JsonValue): Promise<Ending> {
  const task = execution.run.tasks.length === 1 ? (execution.run.tasks[0] ?? null) : null;
  const stop = execution.stopped.then((reason) => ({ stop: reason }));
  const ending = await Promise.race([
    ended(execution, workflow, new ScopedRun(execution, { scope: [], task }), input),
    stop,
  ]);
  if ('stop' in ending) return ending;
  // Steps nobody awaited still finish: a run that is over has nothing in flight.
  await Promise.race([execution.quiet(), stop]);
  if (execution.stopReason !== undefined && execution.stopReason.kind !== 'rest') return { stop: execution.stopReason };
  try {
    execution.replay.assertFinished();
  } catch (error) {
    return { stop: { kind: 'error', error } };
  }
  return ending;
}

async function ended(execution: Execution, workflow: AnyWorkflow, run: ScopedRun, input: JsonValue): Promise<Ending> {
  try {
    const output = (await workflow.start(run, input)) ?? null;
    return { output: asStored(execution.engine.redact.json(output).value) };
  } catch (error) {
    return { failure: workflowFailure(execution, error) };
  }
}

function workflowFailure(execution: Execution, error: unknown): Failure {
  const failure = failureOf(error, execution.engine.redact);
  if (error instanceof StepError)
    return { ...failure, details: { ...failure.details, step: error.step }, retryable: false };
  if (error instanceof WaybillError) return { ...failure, retryable: false };
  return { ...failure, code: 'workflow_threw', retryable: false };
}

async function finished(execution: Execution, ending: Exclude<Ending, { stop: StopReason }>): Promise<Outcome> {
  await execution.sessions.closeAll();
  const failure = 'failure' in ending ? ending.failure : null;
  const output = 'output' in ending ? ending.output : null;
  const kept = await keepOutputs(output, execution.engine.blobs);
  const shown = kept.outputsBlob === undefined ? { output } : { outputBlob: kept.outputsBlob };
  const state = failure === null ? 'succeeded' : 'failed';
  const errorId = failure === null || failure.details?.step !== undefined ? null : await reportRun(execution, failure);
  await execution.ledger.append({
    events: [
      failure === null
        ? { type: 'run.succeeded', data: shown }
        : { type: 'run.failed', data: { failure, ...(errorId === null ? {} : { errorId }) } },
    ],
    also: runEnded(execution.engine, execution.run, {
      state,
      code: failure?.code ?? null,
      seq: execution.ledger.nextSeq,
    }),
    change: {
      kind: 'finish',
      state,
      reason: failure === null ? null : canonicalJson({ code: failure.code, message: failure.message }),
      output: failure === null ? canonicalJson(kept.outputsBlob ?? output) : null,
    },
  });
  return { kind: 'finished', state, failure, output };
}

function reportRun(execution: Execution, failure: Failure): Promise<string | null> {
  const { code, message, details } = failure;
  return execution.engine.report({
    runId: execution.run.runId,
    step: null,
    agent: null,
    code,
    message,
    details: details ?? {},
    input: undefined,
  });
}

async function stopped(execution: Execution, reason: StopReason): Promise<Outcome> {
  await quietOrLate(execution);
  const last = execution.stopReason ?? reason;
  const closed = await closeSessions(execution, last);
  const { ledger, run } = execution;
  const forgetProcesses = { sql: statements.deleteProcesses, rows: [[run.runId]] };
  switch (last.kind) {
    case 'cancel':
      await appendCanceled(execution.engine, run, ledger, { ...last, gone: closed, before: [] });
      return { kind: 'finished', state: 'canceled', failure: null, output: null };
    case 'interrupt':
      await ledger.append({
        events: [{ type: 'run.interrupted', data: { signal: last.signal } }],
        also: [forgetProcesses],
        change: { kind: 'suspend', state: 'running', wakeAt: null },
      });
      return { kind: 'interrupted', signal: last.signal };
    case 'pause':
      await ledger.append({
        events: [{ type: 'run.paused', data: { actor: last.actor } }],
        also: [
          forgetProcesses,
          { sql: statements.finishRequest, rows: [[execution.engine.clock.now(), 'paused', last.request]] },
        ],
        change: { kind: 'suspend', state: 'waiting', wakeAt: null },
      });
      return { kind: 'paused' };
    case 'rest': {
      const wakeAt = execution.wakeAt;
      const waits = [...execution.waits.values()].map(({ pending }) => ({
        for: pending.waitingFor,
        step: displayStep(pending.work.step),
        until: pending.until,
      }));
      await ledger.append({
        events: [{ type: 'run.waiting', data: { waits, wakeAt } }],
        also: [forgetProcesses],
        change: { kind: 'suspend', state: 'waiting', wakeAt },
      });
      return { kind: 'waiting', wakeAt };
    }
    case 'error':
      if (last.error instanceof WaybillError && last.error.code === 'nondeterministic_workflow') {
        await ledger.append({
          events: [{ type: 'run.interrupted', data: { failure: failureOf(last.error, execution.engine.redact) } }],
          also: [forgetProcesses],
        });
      }
      throw last.error;
    default:
      return last satisfies never;
  }
}

/**
 * Gives the lease back without a record, so that another process need not wait for this one to end. When it was
 * given back or lost already, or the store is what failed, there is nothing to give or no way to: then its expiry tells.
 */
async function giveBack({ engine, ledger, run }: Execution): Promise<void> {
  const row = [engine.clock.now() + coolingMicros, 'running', null, run.runId, ledger.epoch];
  await engine.store
    .submit({ lane: run.runId, statements: [{ sql: statements.releaseLease, rows: [row] }] })
    .catch(() => {});
}

async function quietOrLate(execution: Execution): Promise<void> {
  const done = new AbortController();
  const late = delay(patienceMs, undefined, { signal: done.signal }).catch(() => {});
  await Promise.race([execution.quiet(), late]);
  done.abort();
}

/** Ends the agents. When the store is what failed, they are ended all the same, without a record. */
async function closeSessions(execution: Execution, reason: StopReason) {
  try {
    return [...execution.gone, ...(await execution.sessions.closeAll())];
  } catch (error) {
    if (reason.kind === 'error') return execution.gone;
    throw error;
  }
}
