import { WaybillError } from '../../contract/errors.ts';
import type { Digest, RunId } from '../../contract/ids.ts';
import { chainStart } from '../../platform/chain/chain.ts';
import type { Micros } from '../../platform/clock/clock.ts';
import { makeRunId } from '../../platform/ids/make-id.ts';
import { commitOperation } from '../../platform/journal/commit.ts';
import type { OperationStatement } from '../../platform/store/store.ts';
import type { Engine } from './engine.ts';
import { type EventDraft, eventBody, eventDigest } from './ledger/event-body.ts';
import * as statements from './ledger/statements.ts';
import type { NewRun, RunOrigin } from './start-run.ts';

/** What the first event of a run became. */
export interface InsertedRun {
  readonly runId: RunId;
  readonly digest: Digest;
  readonly root: string;
  readonly createdAt: Micros;
}

/**
 * Writes a run with its first event, its input and what it shares in one commit; durable before it returns.
 * @param input in canonical JSON
 * @param rows the statements for the run's own row, and for what belongs beside it, once id and digest are known
 * @param next what follows the first event in the same commit
 */
export async function insertRun(
  engine: Engine,
  request: Pick<NewRun, 'actor' | 'origin' | 'idempotencyKey'>,
  first: EventDraft & { readonly type: 'run.queued' | 'run.started' },
  input: string,
  rows: (run: InsertedRun) => readonly OperationStatement[],
  next: (run: InsertedRun) => readonly OperationStatement[] = () => [],
): Promise<InsertedRun> {
  for (let tries = 1; ; tries++) {
    const now = engine.clock.now();
    const runId = makeRunId(now);
    const body = eventBody(runId, 1, now, first);
    const digest = eventDigest(chainStart, body);
    const root = request.origin === undefined ? '' : `${request.origin.kind}:${runId}`;
    const run = { runId, digest, root, createdAt: now };
    try {
      await engine.store.submit(
        commitOperation({
          lane: runId,
          change: [
            ...rows(run),
            { sql: statements.insertRunInput, rows: [[runId, input]] },
            { sql: statements.insertEvent, rows: [[runId, 1, first.type, body, digest]] },
            ...originRows(runId, request.origin, now),
            ...next(run),
          ],
          audit: [{ at: now, actor: request.actor, action: first.type, resource: runId, outcome: 'succeeded' }],
        }),
      );
    } catch (error) {
      // Another run of this second drew the same eight digits: draw again. Any other clash is told.
      const drawn = request.idempotencyKey === undefined && tries < 5;
      if (!(drawn && error instanceof WaybillError && error.code === 'store_constraint')) throw error;
      continue;
    }
    engine.store.hints.announce(`run:${runId}`);
    return run;
  }
}

function originRows(runId: RunId, origin: RunOrigin | undefined, now: number): OperationStatement[] {
  if (origin === undefined) return [];
  const link: OperationStatement = {
    sql: statements.insertRunLink,
    rows: [[runId, origin.runId, origin.kind, origin.from, origin.reason, now]],
  };
  const shared = origin.receipts.map((each) => [runId, each.runId, each.number]);
  return shared.length === 0 ? [link] : [link, { sql: statements.insertSharedReceipt, rows: shared }];
}
