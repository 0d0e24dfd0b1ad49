import { WaybillError } from '../../../contract/errors.ts';
import type { JsonValue } from '../../../contract/json.ts';
import type { StepContext, StepOptions } from '../../../contract/workflow.ts';
import type { Execution } from '../execution/execution.ts';
import { type Attempt, runStep } from './run-step.ts';
import { longestTimerMs, noRetry, retryPolicy, type StepPlace } from './step-place.ts';

/** A function of the workflow, run in this process; its result is recorded and never computed again. */
export async function functionStep<T extends JsonValue>(
  execution: Execution,
  place: StepPlace,
  what: { readonly action: string; readonly name: string; readonly inputs: JsonValue; readonly options?: StepOptions },
  fn: (context: StepContext) => T | Promise<T>,
): Promise<JsonValue> {
  const { options } = what;
  const result = await runStep(
    execution,
    {
      ...place,
      action: what.action,
      name: what.name,
      inputs: what.inputs,
      expectedOutputs: [],
      retry: retryPolicy(options?.retry, noRetry),
      restarts: 0,
      touchesTree: options?.touchesWorkspace === true,
      inProcess: options?.touchesWorkspace !== true,
    },
    async (attempt) => ({ outputs: (await bounded(attempt, options?.deadlineMs, fn)) ?? null, artifacts: [] }),
  );
  return result.outputs;
}

/** Runs a function of this process until its deadline, which aborts its signal. @throws WaybillError `step_timeout` */
export async function bounded<T>(
  attempt: Attempt,
  deadlineMs: number | undefined,
  fn: (context: StepContext) => T | Promise<T>,
): Promise<T> {
  const context = { attempt: attempt.number, idempotencyKey: attempt.idempotencyKey };
  if (deadlineMs === undefined) return fn({ ...context, signal: attempt.signal });
  // One signal for both reasons. Not AbortSignal.any, which leaves work to the garbage collector, call for call.
  const ends = new AbortController();
  const stop = () => ends.abort(attempt.signal.reason);
  attempt.signal.addEventListener('abort', stop, { once: true });
  if (attempt.signal.aborted) stop();
  const late = Promise.withResolvers<never>();
  // A timer that keeps the process alive: it may be all that is left to happen in it.
  const timer = setTimeout(
    () => {
      const failure = new WaybillError('step_timeout', `the step took longer than its deadline of ${deadlineMs} ms`, {
        hint: 'Raise `deadlineMs` of the step (`timeoutMs` of a tool), or make the function stop when `signal` is aborted.',
        details: { deadlineMs, retryable: true },
      });
      late.reject(failure);
      ends.abort(failure);
    },
    Math.min(deadlineMs, longestTimerMs),
  );
  try {
    return await Promise.race([fn({ ...context, signal: ends.signal }), late.promise]);
  } finally {
    clearTimeout(timer);
    attempt.signal.removeEventListener('abort', stop);
  }
}
