import type { z } from 'zod';
import { isGrowingList } from '../../contract/api/growing.ts';

/**
 * Whether a value has the shape of a schema. A newer daemon may say more: members the schema does not know are no
 * fault, nor are new words in the lists that are said to grow.
 */
export function fits<S extends z.ZodType>(schema: S, value: unknown): value is z.output<S> {
  const parsed = schema.safeParse(value, { reportInput: true });
  return parsed.success || parsed.error.issues.every(isNews);
}

function isNews(issue: z.core.$ZodIssue): boolean {
  switch (issue.code) {
    case 'unrecognized_keys':
      return true;
    case 'invalid_value':
      return typeof issue.input === 'string' && isGrowingList(issue.values);
    case 'invalid_union':
      return issue.errors.some((branch) => branch.length > 0 && branch.every(isNews));
    default:
      return false;
  }
}
