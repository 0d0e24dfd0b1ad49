import { idempotencyKeyHeader, idempotencyReplayedHeader } from '../../../contract/api/route.ts';
import { WaybillError } from '../../../contract/errors.ts';
import { parseId, type RunId } from '../../../contract/ids.ts';
import { describeRun } from '../../../domain/runs/describe-run.ts';
import { findReceipt } from '../../../domain/runs/find-receipt.ts';
import { listSteps } from '../../../domain/runs/list-steps.ts';
import { enqueueRun } from '../../../domain/runs/queue/enqueue-run.ts';
import { submitRetry } from '../../../domain/runs/queue/submit-retry.ts';
import { type RunRequest, requestRun } from '../../../domain/runs/requests.ts';
import { outlineRun, type RunOutline } from '../../../domain/runs/run-outline.ts';
import { waitForEnd } from '../../../domain/runs/wait-for-end.ts';
import { runAnswer, runDetail, runListView } from '../../../views/api-runs.ts';
import { receiptView, stepListView } from '../../../views/api-steps.ts';
import type { HttpContext } from '../http-context.ts';
import type { HttpParts } from '../http-parts.ts';
import { api, type RequestContext } from '../request-context.ts';
import { submitBody } from './submit-run.ts';

type Headers = { readonly [idempotencyKeyHeader]?: string | undefined };

export function runHandlers({ parts, drain }: HttpContext) {
  const { engine } = parts;

  /** Until the run is finished, the time is over, the client is gone or this server ends. */
  const wait = async (runId: RunId, waitMs: number, { gone }: RequestContext): Promise<void> => {
    if (waitMs === 0) return;
    // By hand: `AbortSignal.any` would leave a trace of each wait at `drain`, which lives as long as the server.
    const stop = new AbortController();
    const end = () => stop.abort('ended');
    const left = gone();
    left.addEventListener('abort', end, { once: true });
    drain.addEventListener('abort', end, { once: true });
    if (drain.aborted || left.aborted) end();
    try {
      await waitForEnd(engine.store, runId, { timeoutMs: waitMs, signal: stop.signal });
    } finally {
      drain.removeEventListener('abort', end);
    }
  };

  const ask = async (id: string, request: RunRequest, headers: Headers, { caller }: RequestContext) => {
    const runId = parseId('run', id);
    const { outcome, by } = await requestRun(engine, runId, request, { actor: caller.actor, ...keyOf(headers) });
    return { outcome, by, run: runAnswer(await outlineRun(engine, runId)) };
  };

  return {
    submit: api.runs.submit.handler(async ({ input: { body, headers, query }, context }) => {
      assertTakesWork(parts);
      const from = { actor: context.caller.actor, ...keyOf(headers) };
      const { submitted, outline } = await submitBody(parts, body, from);
      await wait(submitted.runId, query.waitMs, context);
      const run = outline === null || query.waitMs > 0 ? await outlineRun(engine, submitted.runId) : outline;
      return submitted.created ? made(run) : replayed(run);
    }),

    list: api.runs.list.handler(async ({ input: { query } }) => {
      // Here, not above: it is the one route that needs the query builder itself, which takes long to load.
      const { listRuns } = await import('../../../domain/runs/list-runs.ts');
      const { state: states, workflow = null, task = null, limit, cursor = null } = query;
      return runListView(await listRuns(engine, { states, workflow, task, limit, cursor }));
    }),

    get: api.runs.get.handler(async ({ input: { params, query }, context }) => {
      const runId = parseId('run', params.runId);
      await wait(runId, query.waitMs, context);
      return runDetail(await describeRun(engine, runId));
    }),

    steps: api.runs.steps.handler(async ({ input: { params, query } }) => {
      const { limit, cursor = null } = query;
      return stepListView(await listSteps(engine, parseId('run', params.runId), { limit, cursor }));
    }),

    receipt: api.runs.receipt.handler(async ({ input: { params } }) =>
      receiptView(await findReceipt(engine, parseId('run', params.runId), params.step)),
    ),

    cancel: api.runs.cancel.handler(({ input: { params, headers, body }, context }) =>
      ask(params.runId, { kind: 'cancel', comment: body.comment }, headers, context),
    ),

    pause: api.runs.pause.handler(({ input: { params, headers }, context }) =>
      ask(params.runId, { kind: 'pause' }, headers, context),
    ),

    resume: api.runs.resume.handler(async ({ input: { params, headers, body }, context }) => {
      assertTakesWork(parts);
      const runId = parseId('run', params.runId);
      const { actor } = context.caller;
      const { acceptDrift, retryFailed } = body;
      if (retryFailed !== undefined) {
        const { reason } = retryFailed;
        const { maxQueue } = parts.configuration.daemon;
        const options = { actor, reason, acceptDrift, ...keyOf(headers) };
        const retried = await submitRetry(engine, { maxQueue }, runId, options);
        const run = await outlineRun(engine, retried.runId);
        return retried.created ? made(run) : replayed(run);
      }
      await enqueueRun(engine, runId, { actor, acceptDrift });
      return found(await outlineRun(engine, runId));
    }),

    answerApproval: api.runs.answerApproval.handler(({ input: { params, headers, body }, context }) => {
      const { approved, comment } = body;
      const kind = approved ? ('approve' as const) : ('deny' as const);
      return ask(params.runId, { kind, step: params.step, comment }, headers, context);
    }),

    signal: api.runs.signal.handler(({ input: { params, headers, body }, context }) =>
      ask(params.runId, { kind: 'signal', name: params.name, payload: body.payload }, headers, context),
    ),
  };
}

/** While the worker drains, all else is still answered. @throws WaybillError `draining` */
function assertTakesWork({ worker }: Pick<HttpParts, 'worker'>): void {
  if (!worker().draining) return;
  throw new WaybillError('draining', 'this daemon is ending and takes no new work', {
    hint: 'Ask again in a moment, with the same idempotency key.',
  });
}

function keyOf(headers: Headers): { readonly idempotencyKey?: string } {
  const key = headers[idempotencyKeyHeader];
  return key === undefined ? {} : { idempotencyKey: key };
}

function made(run: RunOutline) {
  return { status: 201 as const, headers: { location: `/v1/runs/${run.runId}` }, body: runAnswer(run) };
}

function found(run: RunOutline) {
  return { status: 200 as const, headers: { location: `/v1/runs/${run.runId}` }, body: runAnswer(run) };
}

/** The run an earlier request with the same key made. */
function replayed(run: RunOutline) {
  const { headers, ...answer } = found(run);
  return { ...answer, headers: { ...headers, [idempotencyReplayedHeader]: 'true' as const } };
}
