import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { type Receipt, receiptSchema } from '../../src/contract/evidence.ts';
import type { Random } from './random.ts';
import type { Finished } from './waybill.ts';
import type { Effect, TestWorkspace } from './workspace.ts';

/** What was durable when a process was killed. */
export interface Crash {
  readonly state: string | undefined;
  readonly headSeq: number;
  /** Bytes of the receipts, by number. */
  readonly receipts: readonly string[];
  readonly effects: readonly Effect[];
}

export interface Survived {
  readonly runId: string;
  readonly crashes: readonly Crash[];
  /** The process that was left alone and finished the run. */
  readonly last: Finished;
}

/**
 * Starts a run, kills its process with SIGKILL at a random time (mostly after a random event, so that every part of the
 * run is hit however slow the machine is), resumes it, kills that, and so on `kills` times; then lets it finish. `events`: how many the run has when nothing crashes.
 */
export async function crashUntilDone(
  workspace: TestWorkspace,
  start: readonly string[],
  random: Random,
  { kills, events }: { readonly kills: number; readonly events: number },
): Promise<Survived> {
  const crashes: Crash[] = [];
  for (;;) {
    const runId = workspace.onlyRun();
    const before = runId === undefined ? undefined : look(workspace, runId);
    const finished = before !== undefined && before.state !== 'running';
    const args = runId === undefined ? start : ['resume', runId];
    const running = workspace.start([...args, '--json']);
    if (finished || crashes.length === kills) {
      const last = await running.finished;
      return { runId: runId ?? z.string().parse(workspace.onlyRun()), crashes, last };
    }
    const left = Math.max(1, events - (before?.headSeq ?? 0));
    // Every sixth dies while it starts: before its run exists, or while it takes one over.
    const starting = random.between(1, 6) === 1;
    await running.printed(starting ? 0 : random.between(1, Math.ceil(left / 2)));
    await Promise.race([running.finished, delay(random.between(0, starting ? 600 : 60))]);
    running.kill('SIGKILL');
    if ((await running.finished).signal !== 'SIGKILL') continue;
    const after = workspace.onlyRun();
    const durable = after === undefined ? { state: undefined, headSeq: 0, receipts: [] } : look(workspace, after);
    crashes.push({ ...durable, effects: await workspace.effects() });
  }
}

function look(workspace: TestWorkspace, runId: string): Omit<Crash, 'effects'> {
  const [run] = workspace.rows('SELECT state, head_seq FROM run WHERE id = ?', runId);
  return {
    state: z.string().parse(run?.state),
    headSeq: z.number().parse(run?.head_seq),
    receipts: workspace
      .rows('SELECT body FROM receipt WHERE run = ? ORDER BY number', runId)
      .map(({ body }) => z.string().parse(body)),
  };
}

export function receiptOf(body: string): Receipt {
  return receiptSchema.parse(JSON.parse(body));
}

/** What must be equal whether a run crashed or not: all of a receipt but its run, times, places and tries. */
export function substance(receipt: Receipt) {
  const { action, task, step, idempotencyKey, snapshot, inputs, outcome, outputs, failure, artifacts } = receipt;
  return { action, task, step, idempotencyKey, snapshot, inputs, outcome, outputs, failure, artifacts };
}
