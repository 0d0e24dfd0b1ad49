import type { z } from 'zod';

/**
 * Whether a value has the shape of a schema. Members it does not know are no fault: a newer daemon may say more.
 */
export function fits<S extends z.ZodType>(schema: S, value: unknown): value is z.output<S> {
  const parsed = schema.safeParse(value);
  return parsed.success || parsed.error.issues.every(isUnknownMember);
}

function isUnknownMember(issue: z.core.$ZodIssue): boolean {
  if (issue.code === 'unrecognized_keys') return true;
  if (issue.code !== 'invalid_union') return false;
  return issue.errors.some((branch) => branch.length > 0 && branch.every(isUnknownMember));
}
