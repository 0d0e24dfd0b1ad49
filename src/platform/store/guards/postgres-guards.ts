import { z } from 'zod';
import type { Migration } from '../migrations.ts';
import type { PreparedSql } from '../store.ts';
import type { Guard } from './guard.ts';

const triggers = `SELECT c.relname::text AS "table", t.tgname::text AS name, t.tgtype::int AS type,
    t.tgenabled::text AS enabled, p.proname::text AS function, (t.tgqual IS NOT NULL)::int AS conditional,
    COALESCE((SELECT string_agg(a.attname::text, ',' ORDER BY a.attname::text COLLATE "C") FROM pg_attribute a
      WHERE a.attrelid = t.tgrelid AND a.attnum = ANY (t.tgattr)), '') AS columns
  FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid
  WHERE NOT t.tgisinternal AND c.relnamespace = to_regnamespace(current_schema()) ORDER BY 1, 2`;
const functions = `SELECT proname::text AS name, prosrc AS body FROM pg_proc
  WHERE pronamespace = to_regnamespace(current_schema()) ORDER BY 1`;
export const selectTriggers: PreparedSql = { sqlite: triggers, postgres: triggers };
export const selectFunctions: PreparedSql = { sqlite: functions, postgres: functions };

const count = z.coerce.number();
const triggerRow = z.object({
  table: z.string(),
  name: z.string(),
  type: count,
  enabled: z.string(),
  function: z.string(),
  conditional: count,
  columns: z.string(),
});
const functionRow = z.object({ name: z.string(), body: z.string() });

/** Bits of `pg_trigger.tgtype` (src/include/catalog/pg_trigger.h). */
const bits = { ROW: 1, BEFORE: 2, INSERT: 4, DELETE: 8, UPDATE: 16, TRUNCATE: 32 } as const;

interface TriggerFacts {
  readonly type: number;
  readonly enabled: boolean;
  readonly function: string;
  readonly conditional: boolean;
  readonly columns: string;
}

/** A row of `selectTriggers`. */
export function postgresTrigger(found: unknown): Guard {
  const row = triggerRow.parse(found);
  // `O` fires in an ordinary session, `A` always.
  const enabled = row.enabled === 'O' || row.enabled === 'A';
  return triggerGuard(row.table, row.name, { ...row, enabled, conditional: row.conditional === 1 });
}

/** A row of `selectFunctions`. */
export function postgresFunction(found: unknown): Guard {
  const { name, body } = functionRow.parse(found);
  return { kind: 'function', name, table: '', definition: body };
}

function triggerGuard(table: string, name: string, facts: TriggerFacts): Guard {
  const { type, enabled, function: called, conditional, columns } = facts;
  return { kind: 'trigger', name, table, definition: JSON.stringify({ type, enabled, called, conditional, columns }) };
}

/** The four statements of which guards are made, as our migrations write them. */
const statements = new RegExp(
  [
    String.raw`CREATE (?:OR REPLACE )?FUNCTION (?<made>\w+)\([^)]*\)[\s\S]*?AS \$\$(?<body>[\s\S]*?)\$\$`,
    String.raw`CREATE TRIGGER (?<trigger>\w+)\s+(?<time>BEFORE|AFTER)\s+(?<events>[\w\s,]+?)\s+ON\s+(?<table>\w+)\s+(?<how>[\s\S]*?)EXECUTE FUNCTION\s+(?<called>\w+)\(\)`,
    String.raw`DROP TRIGGER (?:IF EXISTS )?(?<dropped>\w+)\s+ON\s+(?<from>\w+)`,
    String.raw`DROP FUNCTION (?:IF EXISTS )?(?<forgotten>\w+)`,
  ].join('|'),
  'g',
);

/**
 * What the migrations make, read from their text: the program's role may make no tables to find it out. A test holds it
 * against what a server says of a fresh database.
 */
export function expectedPostgresGuards(migrations: readonly Migration[]): readonly Guard[] {
  const guards = new Map<string, Guard>();
  for (const { postgres } of migrations) {
    const text = postgres.replaceAll(/^\s*--.*$/gm, '');
    for (const { groups = {} } of text.matchAll(statements)) {
      const { made, body = '', trigger, dropped, from, forgotten, table = '' } = groups;
      if (made !== undefined)
        guards.set(`function ${made}`, { kind: 'function', name: made, table: '', definition: body });
      if (trigger !== undefined) guards.set(`${table} ${trigger}`, triggerGuard(table, trigger, factsOf(groups)));
      if (dropped !== undefined) guards.delete(`${from} ${dropped}`);
      if (forgotten !== undefined) guards.delete(`function ${forgotten}`);
    }
  }
  return [...guards.values()];
}

function factsOf({ time, events = '', how = '', called = '' }: Record<string, string | undefined>): TriggerFacts {
  const [, columns = ''] = /\bOF\s+([\w\s,]+?)(?:\s+OR\s+(?:INSERT|DELETE|TRUNCATE)\b|$)/.exec(events) ?? [];
  const happening = (['INSERT', 'DELETE', 'UPDATE', 'TRUNCATE'] as const).filter((event) =>
    new RegExp(`\\b${event}\\b`).test(events),
  );
  const type =
    happening.reduce<number>((sum, event) => sum + bits[event], 0) +
    (time === 'BEFORE' ? bits.BEFORE : 0) +
    (/FOR EACH ROW/.test(how) ? bits.ROW : 0);
  return {
    type,
    enabled: true,
    function: called,
    conditional: /\bWHEN\s*\(/.test(how),
    columns: columns
      .split(',')
      .map((column) => column.trim())
      .filter((column) => column !== '')
      .toSorted()
      .join(','),
  };
}
