import type { z } from 'zod';
import { ledgerEventSchema } from '../evidence.ts';
import { problemSchema } from './problem.ts';

const lists = [problemSchema.shape.code, ledgerEventSchema.shape.type] as const;

/**
 * Lists of words that grow with time: codes of problems and types of events. A reader must expect a word it does not
 * know; every other list of the contract is complete.
 */
export const growingLists: ReadonlySet<z.core.$ZodType> = new Set<z.core.$ZodType>(lists);

/** Whether these are the words of a list that grows. */
export function isGrowingList(words: readonly unknown[]): boolean {
  return lists.some(({ options }) => {
    const known: readonly unknown[] = options;
    return known.length === words.length && known.every((word, index) => word === words[index]);
  });
}
