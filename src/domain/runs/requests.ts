import type { Selectable } from 'kysely';
import { WaybillError } from '../../contract/errors.ts';
import type { RunId } from '../../contract/ids.ts';
import { parseId } from '../../contract/ids.ts';
import type { JsonObject, JsonValue } from '../../contract/json.ts';
import { canonicalJson } from '../../platform/canonical-json/canonical-json.ts';
import { randomHex } from '../../platform/ids/make-id.ts';
import { commit } from '../../platform/journal/commit.ts';
import type { OperationStatement } from '../../platform/store/store.ts';
import type { Engine } from './engine.ts';
import { appendCanceled } from './execution/append-canceled.ts';
import type { Execution } from './execution/execution.ts';
import type { PendingStep } from './execution/replay.ts';
import { displayStep } from './keys/step-key.ts';
import { livingHolder } from './lease/lease.ts';
import type { LedgerWriter } from './ledger/ledger-writer.ts';
import * as statements from './ledger/statements.ts';
import { type LoadedRun, loadRun, type RunRow, readRunRow } from './load-run.ts';
import { killLeftovers, releaseUntouched, takeOver } from './resume-run.ts';
import { isTerminal, readState } from './states.ts';
import { type Settlement, settleWait } from './steps/wait-step.ts';
import type { RunRequestTable } from './tables.ts';

/** What anyone but the holder of a run may ask of it. */
export type RunRequest =
  | { readonly kind: 'cancel'; readonly comment: string | null }
  | { readonly kind: 'pause' }
  | { readonly kind: 'approve' | 'deny'; readonly step: string; readonly comment: string | null }
  | { readonly kind: 'signal'; readonly name: string; readonly payload: JsonValue };

export type RequestRow = Selectable<RunRequestTable>;

export interface RequestAnswer {
  /** `done`: in the ledger; `kept`: nobody waits for it yet, the run will find it; `unchanged`: there was nothing to do. */
  readonly outcome: 'done' | 'kept' | 'unchanged';
  readonly state: string;
  /** Who did it: the process that holds the run, or we ourselves because nobody does. */
  readonly by: 'holder' | 'requester';
}

const patienceMs = 30_000;

/**
 * Asks something of a run. The request is durable first; then its holder turns it into events, or, when no
 * living process holds the run, we take the lease and do it ourselves. Asking the same twice equals once.
 * @throws WaybillError `run_not_found`, `invalid_transition`; `run_not_waiting`, also for an answer that came too late;
 * `holder_silent` when the holder does not answer in time
 */
export async function requestRun(
  engine: Engine,
  runId: RunId,
  request: RunRequest,
  from: { readonly actor: string; readonly idempotencyKey?: string },
): Promise<RequestAnswer> {
  const row = await engine.store.read((tx) => readRunRow(tx, runId));
  const earlier = await askedBefore(engine, runId, request, from);
  if (earlier !== undefined) return settle(engine, runId, earlier);
  const state = readState(row.state);
  if (isTerminal(state)) {
    if (request.kind === 'cancel') return { outcome: 'unchanged', state, by: 'requester' };
    throw new WaybillError('invalid_transition', `run ${runId} is ${state}: nothing can be asked of it any more`, {
      hint: `Look at it with: waybill show ${runId}`,
    });
  }
  if (state === 'queued' && request.kind === 'pause') {
    throw new WaybillError('invalid_transition', `run ${runId} has not started, so there is nothing to pause`, {
      hint: `It can be canceled: waybill cancel ${runId}`,
    });
  }
  const id = await ask(engine, runId, request, from).catch(async (error: unknown) => {
    // Of two that came under one key at once the other was first.
    const winner = await askedBefore(engine, runId, request, from);
    if (winner === undefined) throw error;
    return winner;
  });
  engine.store.hints.announce(`run:${runId}`);
  return settle(engine, runId, id);
}

async function ask(
  engine: Engine,
  runId: RunId,
  request: RunRequest,
  from: { readonly actor: string; readonly idempotencyKey?: string },
): Promise<string> {
  const waited =
    request.kind === 'approve' || request.kind === 'deny' ? await waitedFor(engine, runId, request.step) : null;
  return keep(engine, runId, payloadOf(engine, request, waited), { ...from, kind: request.kind });
}

/**
 * The key of the one open approval a person calls `step`. The answer is for this one question: when it is too late
 * for it, it must not become the answer to a later question of the same name.
 */
async function waitedFor(engine: Engine, runId: RunId, step: string): Promise<string> {
  const loaded = await loadRun(engine.store, runId);
  const waiting = loaded.pending.filter((pending) => pending.waitingFor === 'approval');
  const exact = waiting.filter((each) => displayStep(each.work.step) === step || each.idempotencyKey === step);
  const found = exact.length > 0 ? exact : waiting.filter((each) => each.work.step.name === step);
  if (found[0] !== undefined && found.length === 1) return found[0].idempotencyKey;
  const list = waiting.map((pending) => displayStep(pending.work.step)).join(', ') || 'none';
  const what = found.length === 0 ? 'does not wait for an approval' : 'waits for more than one approval';
  throw new WaybillError('run_not_waiting', `run ${runId} ${what} named "${step}" (open: ${list})`, {
    hint: `See what it waits for: waybill show ${runId}`,
  });
}

/** What is stored of a request; `waited` is the key of the question an answer is for. */
function payloadOf(engine: Engine, { kind: _, ...payload }: RunRequest, waited: string | null): JsonObject {
  const { value } = engine.redact.json(payload);
  return waited === null ? { ...objectOf(value) } : { ...objectOf(value), waited };
}

function objectOf(value: JsonValue): JsonObject {
  return value !== null && typeof value === 'object' && !isList(value) ? value : {};
}

/**
 * The request this actor made before under the same key.
 * @throws WaybillError `idempotency_key_reused` when that was another one
 */
async function askedBefore(
  engine: Engine,
  runId: RunId,
  request: RunRequest,
  from: { readonly actor: string; readonly idempotencyKey?: string },
): Promise<string | undefined> {
  const key = from.idempotencyKey;
  if (key === undefined) return undefined;
  const row = await engine.store.read((tx) =>
    tx.db
      .selectFrom('run_request')
      .select(['id', 'kind', 'payload'])
      .where('run', '=', runId)
      .where('actor', '=', from.actor)
      .where('idempotency_key', '=', key)
      .executeTakeFirst(),
  );
  if (row === undefined) return undefined;
  const { waited: _, ...asked } = objectOf(JSON.parse(row.payload));
  if (row.kind === request.kind && canonicalJson(asked) === canonicalJson(payloadOf(engine, request, null))) {
    return row.id;
  }
  throw keyReused(runId);
}

function keyReused(runId: RunId): WaybillError {
  return new WaybillError('idempotency_key_reused', `the key was used for another request on run ${runId}`, {
    hint: 'Use a new key for a new request.',
  });
}

async function keep(
  engine: Engine,
  runId: RunId,
  payload: JsonObject,
  from: { readonly kind: RunRequest['kind']; readonly actor: string; readonly idempotencyKey?: string },
): Promise<string> {
  const { kind } = from;
  const key = from.idempotencyKey ?? null;
  const body = canonicalJson(payload);
  return engine.store.write(async (tx) => {
    const same = await tx.db
      .selectFrom('run_request')
      .selectAll()
      .where('run', '=', runId)
      .where('actor', '=', from.actor)
      .where((each) =>
        key === null
          ? each.and([each('kind', '=', kind), each('payload', '=', body), each('done_at', 'is', null)])
          : each('idempotency_key', '=', key),
      )
      .executeTakeFirst();
    if (same !== undefined) {
      if (same.kind === kind && same.payload === body) return same.id;
      throw keyReused(runId);
    }
    const id = `req_${randomHex(16)}`;
    const row = {
      id,
      run: runId,
      kind,
      payload: body,
      actor: from.actor,
      idempotency_key: key,
      created_at: engine.clock.now(),
      done_at: null,
      outcome: null,
    };
    const audit = {
      at: row.created_at,
      actor: from.actor,
      action: `run.${kind}.requested` as const,
      resource: runId,
      outcome: 'succeeded' as const,
    };
    const change = async () => void (await tx.db.insertInto('run_request').values(row).execute());
    await commit(tx, { change, audit: [audit] });
    return id;
  });
}

/** Waits until the holder has done it; does it here when there is no living holder, or none any more. */
async function settle(engine: Engine, runId: RunId, id: string): Promise<RequestAnswer> {
  using news = engine.store.hints.subscribe(`run:${runId}`);
  const deadline = Date.now() + patienceMs;
  for (;;) {
    const { request, row, open } = await lookAt(engine, runId, id);
    if (request.outcome === tooLate) throw lateError(runId);
    if (request.done_at !== null) {
      return { outcome: request.outcome === 'unchanged' ? 'unchanged' : 'done', state: row.state, by: 'holder' };
    }
    if (isTerminal(readState(row.state))) return { outcome: 'unchanged', state: row.state, by: 'holder' };
    const holder = livingHolder({ ...row, id: runId }, engine.host, engine.clock.now());
    if (!open && request.kind === 'signal') {
      return { outcome: 'kept', state: row.state, by: holder === null ? 'requester' : 'holder' };
    }
    if (!open) {
      await engine.store.submit({ statements: [doneRow(engine, request, tooLate)] });
      throw lateError(runId);
    }
    if (holder === null) {
      const answer = await withoutHolder(engine, runId, request).catch(ifHeld);
      if (answer !== undefined) return answer;
    }
    if (Date.now() > deadline) throw unanswered(runId, row);
    await news.next(200);
  }
}

/** The request as it is, and whether what it answers is waited for, in the same moment: done and not yet done look alike else. */
async function lookAt(engine: Engine, runId: RunId, id: string) {
  return engine.store.read(async (tx) => {
    const row = await readRunRow(tx, runId);
    const request = await tx.db.selectFrom('run_request').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
    const { waited, name } = objectOf(JSON.parse(request.payload));
    const pending = tx.db.selectFrom('pending_step').select('run').where('run', '=', runId);
    const asked =
      typeof waited === 'string'
        ? pending.where('idempotency_key', '=', waited)
        : request.kind === 'signal' && typeof name === 'string'
          ? pending.where('waiting_for', '=', 'signal').where('name', '=', name)
          : null;
    return { row, request, open: asked === null || (await asked.executeTakeFirst()) !== undefined };
  });
}

const tooLate = 'too_late';

function lateError(runId: RunId): WaybillError {
  return new WaybillError('run_not_waiting', `run ${runId} does not wait for this answer any more: it came too late`, {
    hint: `See what became of the question: waybill show ${runId} --receipts`,
  });
}

function ifHeld(error: unknown): undefined {
  // Somebody took the run at the same moment: then the request is theirs.
  if (error instanceof WaybillError && error.code === 'lease_held') return undefined;
  throw error;
}

function unanswered(runId: RunId, row: RunRow): WaybillError {
  return new WaybillError('holder_silent', `the holder of run ${runId} did not answer within ${patienceMs / 1000} s`, {
    hint: 'The request is kept: the holder, or the next resume, will find it.',
    details: { holder: row.holder },
  });
}

/** The pending step a request answers, and how; undefined when none waits for it. */
export function answers(
  request: RequestRow,
  pending: readonly PendingStep[],
): { readonly pending: PendingStep; readonly settlement: Settlement } | undefined {
  const payload = objectOf(JSON.parse(request.payload));
  switch (request.kind) {
    case 'approve':
    case 'deny': {
      const found = pending.find((each) => each.idempotencyKey === payload.waited);
      const outputs = { approved: request.kind === 'approve', actor: request.actor, comment: payload.comment ?? null };
      return found === undefined ? undefined : { pending: found, settlement: { outputs } };
    }
    case 'signal': {
      const found = pending.find((each) => each.waitingFor === 'signal' && each.work.step.name === payload.name);
      return found === undefined ? undefined : { pending: found, settlement: { outputs: payload.payload ?? null } };
    }
    case 'cancel':
    case 'pause':
      return undefined;
  }
}

function isList(value: object): value is readonly JsonValue[] {
  return Array.isArray(value);
}

/** The cancel that was asked for and not done yet. */
export function openCancel(engine: Pick<Engine, 'store'>, runId: RunId): Promise<RequestRow | undefined> {
  return engine.store.read((tx) => {
    const asked = tx.db.selectFrom('run_request').selectAll().where('run', '=', runId);
    return asked.where('kind', '=', 'cancel').where('done_at', 'is', null).executeTakeFirst();
  });
}

export function doneRow(engine: Engine, request: RequestRow, outcome: string): OperationStatement {
  return { sql: statements.finishRequest, rows: [[engine.clock.now(), outcome, request.id]] };
}

/** What the asker said about it. */
export function commentOf(request: RequestRow): string | null {
  const { comment } = objectOf(JSON.parse(request.payload));
  return typeof comment === 'string' ? comment : null;
}

/** The events a request becomes, before the step's own. */
export function requestEvents(request: RequestRow, settlement: Settlement) {
  const outputs = 'outputs' in settlement ? settlement.outputs : null;
  const type = request.kind === 'signal' ? ('signal.received' as const) : ('approval.answered' as const);
  return [{ type, data: { actor: request.actor, answer: outputs } }];
}

/** Undefined when somebody else did it before we had the lease. */
async function withoutHolder(engine: Engine, runId: RunId, request: RequestRow): Promise<RequestAnswer | undefined> {
  const { ledger, loaded, before } = await takeOver(engine, runId);
  const answer = answers(request, loaded.pending);
  try {
    if (request.kind === 'cancel') return await cancelHere(engine, loaded, ledger, request);
    if (request.kind === 'pause') {
      // As its holder would: no worker takes it, and no time wakes it, until somebody resumes it.
      await ledger.append({
        events: [{ type: 'run.paused', data: { actor: request.actor } }],
        also: [doneRow(engine, request, 'paused')],
        change: { kind: 'suspend', state: 'waiting', wakeAt: null },
      });
      return { outcome: 'done', state: 'waiting', by: 'requester' };
    }
    if (answer === undefined) {
      await releaseUntouched(engine, before, ledger.epoch);
      return undefined;
    }
    const facts = factsOf(loaded);
    // A resting run is ready to go on at once; an interrupted one stays so until somebody resumes it.
    const rest = before.state === 'waiting';
    await settleWait(
      ledger,
      answer.pending,
      facts,
      answer.settlement,
      requestEvents(request, answer.settlement),
      [doneRow(engine, request, request.kind)],
      {
        kind: 'suspend',
        state: rest ? 'waiting' : 'running',
        wakeAt: rest ? engine.clock.now() : null,
      },
    );
    engine.store.hints.announce('queue');
    return { outcome: 'done', state: before.state, by: 'requester' };
  } catch (error) {
    await releaseUntouched(engine, before, ledger.epoch).catch(() => {});
    throw error;
  }
}

async function cancelHere(
  engine: Engine,
  loaded: LoadedRun,
  ledger: LedgerWriter,
  request: RequestRow,
): Promise<RequestAnswer> {
  const { events, gone } = await killLeftovers(engine, loaded);
  await appendCanceled(engine, factsOf(loaded), ledger, {
    request: request.id,
    actor: request.actor,
    comment: commentOf(request),
    gone,
    before: events,
  });
  return { outcome: 'done', state: 'canceled', by: 'requester' };
}

/** What the steps of a stored run have in common. */
export function factsOf({ row }: LoadedRun): Execution['run'] {
  const tasks: JsonValue = JSON.parse(row.tasks);
  return {
    runId: parseId('run', row.id),
    workflow: row.workflow,
    tasks: Array.isArray(tasks) ? tasks.map((task) => String(task)) : [],
    root: row.root,
    snapshot:
      row.snapshot_id === null || row.snapshot_digest === null
        ? null
        : { id: row.snapshot_id, digest: parseId('digest', row.snapshot_digest) },
  };
}
