import { isUnreadableNumber } from '../../../platform/store/unreadable-number.ts';
import { BrokenRelease, type ReleaseLink } from './release-link.ts';

const links: Readonly<Record<string, ReleaseLink>> = {
  version_attestation: 'attestation',
  run: 'run',
  run_input: 'run',
  run_event: 'ledger',
  receipt: 'receipts',
  snapshot: 'snapshot',
};

/** A row with a number that cannot be read breaks the link it belongs to. @throws BrokenRelease, what `work` throws else */
export async function unreadableIsBroken<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!isUnreadableNumber(error)) throw error;
    const { table, column } = error.details ?? {};
    const where = typeof table === 'string' ? `${table}.${String(column)}` : 'the store';
    const link = typeof table === 'string' ? (links[table] ?? 'package') : 'package';
    throw new BrokenRelease(link, where, 'a number up to 2^53 - 1', 'one that is too large');
  }
}
