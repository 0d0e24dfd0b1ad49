import type { PreparedSql } from '../store.ts';

let named = 0;
const names = new Map<PreparedSql, string>();

/** The name under which a connection keeps the statement prepared. */
export function nameOf(sql: PreparedSql): string {
  const known = names.get(sql);
  if (known !== undefined) return known;
  const name = `waybill_${++named}`;
  names.set(sql, name);
  return name;
}
