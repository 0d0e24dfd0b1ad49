import type { z } from 'zod';
import type { ManifestProblem } from './package-type.ts';
import { jsonPointer, readJson } from './read-json.ts';

/** What is in the bytes, or everything that is wrong with their shape. */
export type ReadShape<T> = { readonly value: T } | { readonly problems: readonly ManifestProblem[] };

/** Reads a manifest and holds it against a shape; each problem has its JSON pointer. Never throws. */
export function readShape<T>(body: Uint8Array, shape: z.ZodType<T>): ReadShape<T> {
  const read = readJson(body);
  if ('problems' in read) return read;
  const parsed = shape.safeParse(read.value);
  if (parsed.success) return { value: parsed.data };
  return { problems: parsed.error.issues.flatMap((issue) => problemsOf(issue, [])) };
}

function problemsOf(issue: z.core.$ZodIssue, above: readonly PropertyKey[]): readonly ManifestProblem[] {
  const path = [...above, ...issue.path];
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ pointer: jsonPointer([...path, key]), message: 'is not known here' }));
  }
  const message = issue.message.replace(/^Invalid input: /, '');
  // Of a choice between shapes, what is wrong inside of those whose kind fits says more than that none does.
  if (issue.code === 'invalid_union') {
    const inner = issue.errors.flat().filter(({ path: below }) => below.length > 0);
    if (inner.length > 0) return inner.flatMap((each) => problemsOf(each, path));
    const expected = issue.errors.flat().map((each) => each.message.replace(/^Invalid input: /, ''));
    return [{ pointer: jsonPointer(path), message: expected.length === 0 ? message : expected.join(', or ') }];
  }
  return [{ pointer: jsonPointer(path), message }];
}
