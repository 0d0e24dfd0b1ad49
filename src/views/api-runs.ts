import type { RunAnswer, RunDetail, RunSummary } from '../contract/api/runs.ts';
import type { RunDescription } from '../domain/runs/describe-run.ts';
import type { RunPage } from '../domain/runs/list-runs.ts';
import type { RunOutline } from '../domain/runs/run-outline.ts';
import { maybeMilliseconds, toMilliseconds } from './milliseconds.ts';
import { runView } from './runs.ts';

/** A run as one row of the API's list. */
export function runSummary(run: RunOutline): RunSummary {
  return {
    runId: run.runId,
    workflow: run.workflow,
    tool: run.tool,
    tasks: run.tasks,
    state: run.state,
    interrupted: run.interrupted,
    reason: run.reason,
    steps: run.steps,
    lastSeq: run.lastSeq,
    actor: run.actor,
    createdAt: toMilliseconds(run.createdAt),
    startedAt: maybeMilliseconds(run.startedAt),
    finishedAt: maybeMilliseconds(run.finishedAt),
  };
}

/** What submitting and its like answer. */
export function runAnswer(run: RunOutline): RunAnswer {
  return { ...runSummary(run), output: run.output };
}

export function runListView({ runs, nextCursor }: RunPage): { runs: RunSummary[]; nextCursor: string | null } {
  return { runs: runs.map(runSummary), nextCursor };
}

export function runDetail({ state, queue, exit, artifacts }: RunDescription): RunDetail {
  return { ...runView(state), queue, exit, artifacts: artifacts.map((artifact) => ({ ...artifact })) };
}
