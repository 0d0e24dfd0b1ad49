import type { Selectable } from 'kysely';
import { sql } from 'kysely';
import type { AuditAction } from '../../contract/audit.ts';
import { WaybillError } from '../../contract/errors.ts';
import type { Micros } from '../clock/clock.ts';
import type { Store } from '../store/store.ts';
import type { AuditTable } from './tables.ts';

export interface AuditFilter {
  readonly actor?: string | null | undefined;
  readonly action?: AuditAction | null | undefined;
  readonly resource?: string | null | undefined;
  /** What the resource begins with. */
  readonly resourcePrefix?: string | null | undefined;
  readonly outcome?: 'succeeded' | 'refused' | 'failed' | null | undefined;
  /** From this time on. */
  readonly since?: Micros | null;
  /** Before this time. */
  readonly until?: Micros | null;
  /** 1 to 200. */
  readonly limit: number;
  /** `nextCursor` of the page before. */
  readonly cursor?: string | null;
}

export interface AuditPage {
  /** Newest first. */
  readonly records: readonly Selectable<AuditTable>[];
  /** Null on the last page. */
  readonly nextCursor: string | null;
}

const mostRecords = 200;
const cursorShape = /^(\d{1,16})\.(\d{1,16})$/;

/**
 * Records of the audit, newest first. A cursor stays good whatever is written meanwhile.
 * @throws WaybillError `invalid_argument` for a limit or cursor that is none
 */
export async function listAudit(store: Store, filter: AuditFilter): Promise<AuditPage> {
  const { limit } = filter;
  if (!Number.isInteger(limit) || limit < 1 || limit > mostRecords) {
    throw new WaybillError('invalid_argument', `a page of the audit has 1 to ${mostRecords} records, not ${limit}`);
  }
  const after = parseCursor(filter.cursor ?? null);
  const rows = await store.read((tx) => auditQuery(tx.db, filter, after).execute());
  const records = rows.slice(0, limit);
  const last = records.at(-1);
  return { records, nextCursor: rows.length > limit && last !== undefined ? `${last.at}.${last.id}` : null };
}

interface Cursor {
  readonly at: Micros;
  readonly id: number;
}

function auditQuery(db: Parameters<Parameters<Store['read']>[0]>[0]['db'], filter: AuditFilter, after: Cursor | null) {
  const { actor = null, action = null, resource = null, resourcePrefix = null, outcome = null } = filter;
  const { since = null, until = null, limit } = filter;
  let query = db
    .selectFrom('audit')
    .selectAll()
    .orderBy('at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit + 1);
  if (actor !== null) query = query.where('actor', '=', actor);
  if (action !== null) query = query.where('action', '=', action);
  if (resource !== null) query = query.where('resource', '=', resource);
  if (resourcePrefix !== null && resourcePrefix !== '') {
    query = query.where('resource', '>=', resourcePrefix);
    // Both engines compare these texts by code point; the last one of all stands for whatever may follow.
    query = query.where('resource', '<', `${resourcePrefix}\u{10ffff}`);
  }
  if (outcome !== null) query = query.where('outcome', '=', outcome);
  // What did not succeed has an index of its own, which a query gets only when it says so in these words.
  if (outcome !== null && outcome !== 'succeeded') query = query.where(sql<boolean>`outcome <> 'succeeded'`);
  if (since !== null) query = query.where('at', '>=', since);
  if (until !== null) query = query.where('at', '<', until);
  if (after !== null) query = query.where(sql<boolean>`(at, id) < (${after.at}, ${after.id})`);
  return query;
}

function parseCursor(text: string | null): Cursor | null {
  if (text === null) return null;
  const [, at, id] = cursorShape.exec(text) ?? [];
  if (at !== undefined && id !== undefined) return { at: Number(at), id: Number(id) };
  throw new WaybillError('invalid_argument', 'this is no cursor of the audit', {
    hint: 'Give `nextCursor` of the page before, unchanged.',
  });
}
