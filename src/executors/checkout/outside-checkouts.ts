import { existsSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { CheckoutWatch } from './watch-checkout.ts';

/** What git finds a checkout by, in a folder or above it: its own folder or file, or the head of a bare one. */
const marks: readonly string[] = ['.git', 'HEAD'];

/**
 * Vouches for that a folder lies in no checkout, by a few looks instead of two processes: as long as neither it nor a
 * folder above it has anything git would take for one.
 * @returns undefined when there is such a thing, or no such folder: git itself must be asked
 */
export function watchOutside(root: string): CheckoutWatch | undefined {
  const place = placeOf(root);
  if (place === undefined || !isOutside(place)) return undefined;
  return { isUnchanged: async () => placeOf(root) === place && isOutside(place), close: () => {} };
}

function placeOf(root: string): string | undefined {
  try {
    return realpathSync(root);
  } catch {
    return undefined;
  }
}

function isOutside(place: string): boolean {
  for (let folder = place; ; folder = dirname(folder)) {
    if (marks.some((mark) => existsSync(join(folder, mark)))) return false;
    if (folder === dirname(folder)) return true;
  }
}
