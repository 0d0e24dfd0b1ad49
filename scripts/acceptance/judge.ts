import type { AcceptanceCase } from './cases.ts';
import { idsOf, type NamedTest } from './find-tests.ts';

export interface JudgedCase extends AcceptanceCase {
  /** The test files with a test that names it, sorted. */
  readonly files: readonly string[];
  /** Why it is open; undefined for a case that is met. */
  readonly open: string | undefined;
}

export interface Judgement {
  readonly cases: readonly JudgedCase[];
  readonly problems: readonly string[];
}

/** Joins cases, tests and reasons: each case has either a test or a reason, and each test and reason a case. */
export function judge(
  cases: readonly AcceptanceCase[],
  tests: readonly NamedTest[],
  open: Readonly<Record<string, string>>,
): Judgement {
  const files = new Map<string, Set<string>>();
  const known = new Set(cases.map(({ id }) => id));
  const problems: string[] = [];
  for (const test of tests) {
    for (const id of idsOf(test.name)) {
      if (!known.has(id)) problems.push(`${test.file}: "${test.name}" names ${id}, which is no case`);
      files.set(id, (files.get(id) ?? new Set()).add(test.file));
    }
  }
  for (const id of Object.keys(open)) {
    if (!known.has(id)) problems.push(`acceptance-open.json: ${id} is no case`);
  }
  const judged = cases.map((one) => ({ ...one, files: [...(files.get(one.id) ?? [])].sort(), open: open[one.id] }));
  for (const { id, files: tested, open: reason, words } of judged) {
    if (tested.length === 0 && reason === undefined) problems.push(`${id} has neither a test nor a reason: ${words}`);
    if (tested.length > 0 && reason !== undefined) problems.push(`${id} is called open, but ${tested[0]} names it`);
  }
  return { cases: judged, problems };
}
