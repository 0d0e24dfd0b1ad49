import { sql } from 'kysely';
import { WaybillError } from '../../contract/errors.ts';
import type { Micros } from '../clock/clock.ts';
import type { ReadTx, Store } from '../store/store.ts';
import type { ErrorEnvelope } from './envelope.ts';
import { parseEnvelope } from './envelope-schema.ts';
import { envelopeFields } from './error-row.ts';
import type { CountQuery, ErrorPage, ErrorQuery, TimelineBucket, TimelineQuery } from './error-store.ts';

export type FilterColumn =
  | 'correlation_id'
  | 'run_id'
  | 'decision_id'
  | 'component'
  | 'error_class'
  | 'fingerprint'
  | 'severity';

const mostBuckets = 10_000;

export async function find(store: Store, workspaceId: string, errorId: string): Promise<ErrorEnvelope | undefined> {
  const row = await store.read((tx) =>
    tx.db
      .selectFrom('infra_error_events')
      .selectAll()
      .where('error_id', '=', errorId)
      .where('workspace_id', '=', workspaceId)
      .executeTakeFirst(),
  );
  return row === undefined ? undefined : parseEnvelope(envelopeFields(row));
}

export async function readPage(
  store: Store,
  workspaceId: string,
  column: FilterColumn,
  value: string,
  query: ErrorQuery,
): Promise<ErrorPage> {
  const { rows, next } = await store.read((tx) => page(tx, workspaceId, column, value, query));
  return { envelopes: rows.map((row) => parseEnvelope(envelopeFields(row))), next };
}

export function readCounts(
  store: Store,
  workspaceId: string,
  column: 'error_class' | 'component',
  query: CountQuery,
): Promise<ReadonlyMap<string, number>> {
  return store.read((tx) => countBy(tx, workspaceId, column, query));
}

export async function readTimeline(
  store: Store,
  workspaceId: string,
  query: TimelineQuery,
): Promise<readonly TimelineBucket[]> {
  const length = bucketCount(query);
  return store.read((tx) => timeline(tx, workspaceId, query, length));
}

function inWindow(tx: ReadTx, workspaceId: string, query: CountQuery) {
  let found = tx.db.selectFrom('infra_error_events').where('workspace_id', '=', workspaceId);
  if (query.since !== undefined) found = found.where('timestamp', '>=', query.since);
  if (query.until !== undefined) found = found.where('timestamp', '<', query.until);
  if (query.includeSynthetic !== true) found = found.where('synthetic', '=', 0);
  return found;
}

async function page(tx: ReadTx, workspaceId: string, column: FilterColumn, value: string, query: ErrorQuery) {
  const limit = Math.min(Math.max(Math.trunc(query.limit ?? 100), 1), 1000);
  let found = inWindow(tx, workspaceId, query).where(column, '=', value);
  if (query.cursor !== undefined) {
    const { timestamp, id } = parseCursor(query.cursor);
    found = found
      .where('timestamp', '>=', timestamp)
      .where((where) => where.or([where('timestamp', '>', timestamp), where('id', '>', id)]));
  }
  const rows = await found
    .selectAll()
    .orderBy('timestamp')
    .orderBy('id')
    .limit(limit + 1)
    .execute();
  const last = rows[limit - 1];
  const next = rows.length > limit && last !== undefined ? `${last.timestamp}-${last.id}` : null;
  return { rows: rows.slice(0, limit), next };
}

function parseCursor(cursor: string): { readonly timestamp: Micros; readonly id: number } {
  const [, timestamp, id] = /^(\d{1,16})-(\d{1,16})$/.exec(cursor) ?? [];
  if (timestamp !== undefined && id !== undefined) return { timestamp: Number(timestamp), id: Number(id) };
  throw new WaybillError('invalid_argument', 'the cursor is not one of this list', {
    hint: 'Give the `next` of the page before, unchanged, or leave it out to begin anew.',
  });
}

async function countBy(tx: ReadTx, workspaceId: string, column: 'error_class' | 'component', query: CountQuery) {
  const rows = await inWindow(tx, workspaceId, query)
    .select((select) => [`${column} as name`, select.fn.countAll().as('count')] as const)
    .groupBy(column)
    .orderBy(column)
    .execute();
  return new Map(rows.map((row) => [row.name, Number(row.count)]));
}

function bucketCount({ since, until, bucket }: TimelineQuery): number {
  const length = Math.ceil((until - since) / bucket);
  const integers = [since, until, bucket].every(Number.isSafeInteger);
  if (integers && bucket > 0 && length >= 0 && length <= mostBuckets) return length;
  throw new WaybillError('invalid_argument', 'the timeline needs a window that is not negative and a positive bucket', {
    hint: `All three are whole microseconds; at most ${mostBuckets} buckets: use a longer one.`,
    details: { since, until, bucket },
  });
}

async function timeline(
  tx: ReadTx,
  workspaceId: string,
  query: TimelineQuery,
  length: number,
): Promise<readonly TimelineBucket[]> {
  // Cast, because one engine would take the parameters for fractions and the other for text.
  const bucket = sql<number>`(timestamp - cast(${query.since} as bigint)) / cast(${query.bucket} as bigint)`;
  const rows = await inWindow(tx, workspaceId, query)
    .select((select) => [bucket.as('bucket'), select.fn.countAll().as('count')] as const)
    .groupBy(sql`1`)
    .execute();
  const counts = new Map(rows.map((row) => [Number(row.bucket), Number(row.count)]));
  return Array.from({ length }, (_, index) => ({
    start: query.since + index * query.bucket,
    count: counts.get(index) ?? 0,
  }));
}
