import type { RunState } from '../contract/evidence.ts';
import { maybeMilliseconds, toMilliseconds } from './milliseconds.ts';

/** A run as one row of a list. */
export type RunRow = Pick<
  RunState,
  | 'runId'
  | 'workflow'
  | 'tool'
  | 'task'
  | 'tasks'
  | 'state'
  | 'interrupted'
  | 'resume'
  | 'reason'
  | 'steps'
  | 'lastSeq'
  | 'actor'
  | 'createdAt'
  | 'startedAt'
  | 'finishedAt'
>;

/**
 * A run as every surface shows it: `run.json` with its times cut to milliseconds. A run whose holder is gone says
 * `interrupted: true` and the command that resumes it, never plain running.
 */
export function runView(run: RunState): RunState {
  return {
    ...run,
    createdAt: toMilliseconds(run.createdAt),
    startedAt: maybeMilliseconds(run.startedAt),
    finishedAt: maybeMilliseconds(run.finishedAt),
    wakeAt: maybeMilliseconds(run.wakeAt),
    currentStep: run.currentStep && { ...run.currentStep, startedAt: toMilliseconds(run.currentStep.startedAt) },
    holder: run.holder && {
      ...run.holder,
      since: toMilliseconds(run.holder.since),
      expiresAt: toMilliseconds(run.holder.expiresAt),
    },
    provenance: run.provenance && {
      ...run.provenance,
      checkout: { ...run.provenance.checkout, readAt: toMilliseconds(run.provenance.checkout.readAt) },
    },
  };
}

export function runRow(run: RunRow): RunRow {
  const { runId, workflow, tool, task, tasks, state, interrupted, resume, reason, steps, lastSeq, actor } = run;
  const { createdAt, startedAt, finishedAt } = run;
  return {
    runId,
    workflow,
    tool,
    task,
    tasks,
    state,
    interrupted,
    resume,
    reason,
    steps,
    lastSeq,
    actor,
    createdAt: toMilliseconds(createdAt),
    startedAt: maybeMilliseconds(startedAt),
    finishedAt: maybeMilliseconds(finishedAt),
  };
}

/** The state in one word a person can act on: a run nobody works on is not shown as running. */
export function stateWord(run: Pick<RunState, 'state' | 'interrupted' | 'currentStep'>): string {
  if (run.interrupted) return 'interrupted';
  const waitingFor = run.state === 'waiting' ? (run.currentStep?.waitingFor ?? null) : null;
  return waitingFor === null ? run.state : `waiting for ${waitingFor}`;
}

/** What the reader can do next with a run in this state; null when nothing is left to do. */
export function nextCommand(
  run: Pick<RunState, 'runId' | 'state' | 'interrupted' | 'resume' | 'currentStep'>,
): string | null {
  if (run.interrupted) return run.resume ?? `waybill resume ${run.runId}`;
  switch (run.state) {
    case 'queued':
      return `waybill resume ${run.runId}`;
    case 'running':
      return `waybill events ${run.runId} --follow`;
    case 'waiting':
      return waitingCommand(run);
    case 'failed':
      return `waybill resume ${run.runId} --retry-failed --reason TEXT`;
    case 'succeeded':
    case 'canceled':
      return null;
    default:
      return run.state satisfies never;
  }
}

function waitingCommand(run: Pick<RunState, 'runId' | 'currentStep'>): string {
  switch (run.currentStep?.waitingFor) {
    case 'approval':
      return `waybill approve ${run.runId}`;
    case 'signal':
      return `waybill signal ${run.runId} ${run.currentStep.name}`;
    default:
      return `waybill resume ${run.runId}`;
  }
}
