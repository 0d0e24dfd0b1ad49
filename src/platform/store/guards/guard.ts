/** A rule that the database keeps by itself: a trigger, a function of one, on SQLite also a table or an index. */
export interface Guard {
  readonly kind: 'trigger' | 'function' | 'table' | 'index';
  readonly name: string;
  /** The table it is on; empty for a function. */
  readonly table: string;
  /** All that decides what it does, in one form for what was meant and what is there. */
  readonly definition: string;
}

export interface GuardProblem {
  /** `unknown`: a trigger that no migration made, on a table that migrations made. */
  readonly problem: 'missing' | 'changed' | 'unknown';
  readonly kind: Guard['kind'];
  readonly name: string;
  readonly table: string;
}

const keyOf = ({ kind, table, name }: Guard) => `${kind} ${table} ${name}`;

/** What differs between the guards that were meant and those that are there. */
export function compareGuards(expected: readonly Guard[], actual: readonly Guard[]): readonly GuardProblem[] {
  const there = new Map(actual.map((guard) => [keyOf(guard), guard]));
  const problems: GuardProblem[] = [];
  for (const guard of expected) {
    const found = there.get(keyOf(guard));
    there.delete(keyOf(guard));
    if (found === undefined) problems.push(named('missing', guard));
    else if (found.definition !== guard.definition) problems.push(named('changed', guard));
  }
  const tables = new Set(expected.map(({ table }) => table));
  for (const guard of there.values()) {
    if (guard.kind === 'trigger' && tables.has(guard.table)) problems.push(named('unknown', guard));
  }
  return problems;
}

function named(problem: GuardProblem['problem'], { kind, name, table }: Guard): GuardProblem {
  return { problem, kind, name, table };
}
