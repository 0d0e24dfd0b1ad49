import { WaybillError } from '../../../contract/errors.ts';
import { type LedgerEvent, ledgerEventSchema, type RunStateName } from '../../../contract/evidence.ts';
import type { RunId } from '../../../contract/ids.ts';
import { chainStart } from '../../../platform/chain/chain.ts';
import type { PreparedSql, Store } from '../../../platform/store/store.ts';
import { missingRun } from '../load-run.ts';
import { eventRow, headOfRow, headRow, parseRows } from '../rows.ts';
import { readState } from '../states.ts';
import { eventLine } from './event-body.ts';
import { sql } from './statements.ts';

/** One event as it is stored: its line is what `ledger.ndjson` holds, without the newline. */
export interface StoredEvent {
  readonly seq: number;
  readonly type: string;
  /** The exact text that was hashed. */
  readonly body: string;
  readonly previous: string;
  readonly digest: string;
  readonly line: string;
}

export interface EventPage {
  readonly events: readonly StoredEvent[];
  /** State of the run in the same moment: when it is terminal and the page is not full, nothing will follow. */
  readonly state: RunStateName;
  /** True when more events were there already. */
  readonly more: boolean;
}

/** How far a ledger has come, and what the run was then: both of one moment. */
export interface RunHead {
  readonly state: RunStateName;
  /** `seq` of the last event; 0 when there is none yet. */
  readonly seq: number;
}

const selectHead = sql('SELECT state, head_seq FROM run WHERE id = ?');
const selectHeads: PreparedSql = {
  sqlite: 'SELECT id, state, head_seq FROM run WHERE id IN (SELECT value FROM json_each(?))',
  postgres: 'SELECT id, state, head_seq FROM run WHERE id IN (SELECT json_array_elements_text($1::json))',
};
const selectEvents = sql(
  'SELECT seq, type, body, digest FROM run_event WHERE run = ? AND seq >= ? ORDER BY seq LIMIT ?',
);

/** The most events one page holds, so that no ledger is ever in memory as a whole. */
export const largestPage = 500;

/**
 * The events of a run with `seq` above `since`, in order. A `since` beyond the end gives an empty page.
 * @throws WaybillError `run_not_found`, `run_removed`, `invalid_argument`; `chain_broken` when events in between are missing
 */
export async function readEvents(
  store: Store,
  runId: RunId,
  since: number,
  limit: number = largestPage,
): Promise<EventPage> {
  assertPage(since, limit);
  // The state first: a terminal one read after the events could hide those written in between.
  const head = await readHead(store, runId);
  const { events, more } = await readEventsAfter(store, runId, since, limit);
  // Nothing where the head says that there is something: the run was removed in between, or its ledger is damaged.
  if (events.length === 0 && since < head.seq) throw await missing(store, runId, since);
  return { events, state: head.state, more };
}

/** @throws WaybillError `run_not_found`, `run_removed` */
async function readHead(store: Store, runId: RunId): Promise<RunHead> {
  const head = await findHead(store, runId);
  if (head === undefined) throw await missingRun(store, runId);
  return head;
}

/** The head of a run; nothing when the store has no such run. */
export async function findHead(store: Store, runId: RunId): Promise<RunHead | undefined> {
  const [row] = parseRows(headRow, await store.select(selectHead, [runId]));
  return row === undefined ? undefined : { state: readState(row.state), seq: row.head_seq };
}

/** The heads of those of some runs that the store has, by one statement, however many they are. */
export async function findHeads(store: Store, runIds: readonly RunId[]): Promise<ReadonlyMap<string, RunHead>> {
  const rows = parseRows(headOfRow, await store.select(selectHeads, [JSON.stringify(runIds)]));
  return new Map(rows.map(({ id, state, head_seq: seq }) => [id, { state: readState(state), seq }]));
}

/**
 * As `readEvents`, without asking what the run is: no run is no events.
 * @throws WaybillError `chain_broken`, `invalid_argument`
 */
export async function readEventsAfter(
  store: Store,
  runId: RunId,
  since: number,
  limit: number,
): Promise<Omit<EventPage, 'state'>> {
  assertPage(since, limit);
  // From the event at `since` itself: its digest is what the first one after it points back to.
  const found = parseRows(eventRow, await store.select(selectEvents, [runId, since, limit + 2]));
  const anchor = since === 0 ? chainStart : found[0]?.seq === since ? found[0].digest : undefined;
  const after = since === 0 || anchor === undefined ? found : found.slice(1);
  const events: StoredEvent[] = [];
  let previous = anchor ?? chainStart;
  for (const [index, { seq, type, body, digest }] of after.slice(0, limit).entries()) {
    if (anchor === undefined || seq !== since + 1 + index) throw gap(runId, since + 1 + index, seq);
    events.push({ seq, type, body, previous, digest, line: eventLine(body, previous, digest) });
    previous = digest;
  }
  return { events, more: after.length > limit };
}

/** The event a line holds. @throws WaybillError `store_corrupt` */
export function parseEvent({ line, seq }: Pick<StoredEvent, 'line' | 'seq'>): LedgerEvent {
  const parsed = ledgerEventSchema.safeParse(JSON.parse(line));
  if (parsed.success) return parsed.data;
  throw new WaybillError('store_corrupt', `event ${seq} does not fit its schema`, {
    hint: 'Find the first broken link with `waybill verify RUN`.',
  });
}

/** What to throw when events that must be there are not: `run_removed`, `run_not_found`, else `chain_broken`. */
export async function missing(store: Store, runId: RunId, since: number): Promise<WaybillError> {
  const head = await findHead(store, runId);
  return head === undefined ? missingRun(store, runId) : gap(runId, since + 1, null);
}

function assertPage(since: number, limit: number): void {
  assertSince(since);
  if (Number.isInteger(limit) && limit >= 1 && limit <= largestPage) return;
  throw new WaybillError('invalid_argument', `a page has 1 to ${largestPage} events, not ${limit}`);
}

/** @throws WaybillError `invalid_argument` */
export function assertSince(since: number): void {
  if (Number.isSafeInteger(since) && since >= 0) return;
  throw new WaybillError('invalid_argument', `events are counted 1, 2, 3 ...: there is nothing after ${since}`, {
    hint: 'Give the number of the last event you have; 0 for all.',
  });
}

function gap(runId: RunId, expected: number, found: number | null): WaybillError {
  const there = found === null ? 'nothing' : `event ${found}`;
  return new WaybillError('chain_broken', `the ledger of ${runId} has ${there} where event ${expected} belongs`, {
    hint: `Find the first broken link with: waybill verify ${runId}`,
    details: { expected, found },
  });
}
