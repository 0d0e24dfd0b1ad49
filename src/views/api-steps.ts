import type { Step } from '../contract/api/runs.ts';
import type { Receipt } from '../contract/evidence.ts';
import type { PendingStep } from '../domain/runs/execution/replay.ts';
import { displayStep } from '../domain/runs/keys/step-key.ts';
import type { StepPage } from '../domain/runs/list-steps.ts';
import { formatTime } from '../platform/clock/clock.ts';
import { toMilliseconds } from './milliseconds.ts';

/** A page of steps as the API shows it. */
export function stepListView(page: StepPage): { steps: Step[]; nextCursor: string | null } {
  return {
    steps: [...page.receipts.map(({ receipt, shared }) => finished(receipt, shared)), ...page.pending.map(underWay)],
    nextCursor: page.nextCursor,
  };
}

function finished(receipt: Receipt, shared: boolean): Step {
  const { number, step, action, task, outcome, attempts, idempotencyKey, failure, artifacts } = receipt;
  return {
    number,
    step,
    name: displayStep(step),
    action,
    task,
    state: outcome,
    waitingFor: null,
    attempts,
    idempotencyKey,
    shared,
    failure: failure ?? null,
    artifacts,
    startedAt: toMilliseconds(receipt.startedAt),
    finishedAt: toMilliseconds(receipt.finishedAt),
  };
}

function underWay(pending: PendingStep): Step {
  const { work, waitingFor, attempt, idempotencyKey, startedAt } = pending;
  return {
    number: null,
    step: work.step,
    name: displayStep(work.step),
    action: work.action,
    task: work.task,
    state: waitingFor === null ? 'running' : 'waiting',
    waitingFor,
    attempts: Math.max(attempt, 1),
    idempotencyKey,
    shared: false,
    failure: null,
    artifacts: [],
    startedAt: formatTime(startedAt),
    finishedAt: null,
  };
}

/** A receipt as the API shows it: the stored one with its times cut to milliseconds. */
export function receiptView(receipt: Receipt): Receipt {
  return {
    ...receipt,
    startedAt: toMilliseconds(receipt.startedAt),
    finishedAt: toMilliseconds(receipt.finishedAt),
  };
}
