import type { RunDetail } from '../../contract/api/runs.ts';
import { WaybillError } from '../../contract/errors.ts';
import { type Backoff, backoffMs, pause } from './backoff.ts';
import type { Client } from './client.ts';
import { isPassing } from './client-error.ts';
import type { FollowOptions } from './follow.ts';

export type WaitOptions = Omit<FollowOptions, 'since'>;

/** The run when it is finished: followed, so that restarts and lost connections do no harm. */
export async function waitForRun(
  { runs, follow }: Pick<Client, 'runs' | 'follow'>,
  runId: string,
  options: WaitOptions,
): Promise<RunDetail> {
  const asked = [{ params: { runId } }, options.signal === undefined ? {} : { signal: options.signal }] as const;
  const before = await runs.get(...asked);
  if (before.terminalEvent !== null) return before;
  const events = follow(runId, { ...options, since: before.lastSeq });
  let next = await events.next();
  while (!next.done) next = await events.next();
  const { why, cursor } = next.value;
  switch (why) {
    case 'terminal':
    case 'gap':
      // A run that was removed meanwhile says so itself.
      return await persistently(() => runs.get(...asked), options.signal);
    case 'deadline':
      throw new WaybillError('wait_timeout', `${runId} is not finished after ${(options.timeoutMs ?? 0) / 1000} s`, {
        hint: `Go on waiting, or follow it from event ${cursor}.`,
        details: { runId, cursor },
      });
    case 'aborted':
      throw options.signal?.reason;
    default:
      return why satisfies never;
  }
}

const backoff: Backoff = { firstMs: 100, mostMs: 5_000 };
/** With this backoff half a minute on average: long enough for a daemon to start again. */
const mostTries = 20;

/** What was waited for is there: a daemon that goes away at this very moment is asked again. */
async function persistently<T>(ask: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  for (let failures = 1; ; failures += 1) {
    try {
      return await ask();
    } catch (error) {
      if (!isPassing(error) || failures >= mostTries || signal?.aborted === true) throw error;
      await pause(backoffMs(backoff, failures), signal);
    }
  }
}
