import { isUnreadableNumber } from '../../../platform/store/unreadable-number.ts';
import type { Coordinate } from '../package-types/package-type.ts';
import { readEnvelope } from '../verify/check-attestation.ts';
import { BrokenRelease } from '../verify/release-link.ts';
import { checkRecordsIn } from '../verify/store-records.ts';
import { contentOf } from '../verify/store-release.ts';
import type { Inspection } from './inspection.ts';

/** What is asked of a version beside its files: who it is said to be, and where. */
interface Kept {
  readonly id: string;
  readonly repo: string;
  readonly coordinate: Coordinate;
  readonly where: string;
}

/**
 * A published version is what its event, its audit records, its gate runs and its attestation say, as `verify` looks at
 * it. What is named is the first that differs.
 */
export async function checkVersionRecords(
  inspection: Inspection,
  { id, repo, coordinate, where }: Kept,
): Promise<void> {
  const { store } = inspection.registry;
  try {
    const looked = await store.read(async (tx) => {
      const content = await contentOf(tx, id, { repo, coordinate });
      readEnvelope(content);
      return await checkRecordsIn(tx, content);
    });
    for (const [what, count] of Object.entries(looked)) inspection.looked(`${what} of versions`, count);
  } catch (error) {
    if (isUnreadableNumber(error)) inspection.found('row_unreadable', where, error.message);
    else if (error instanceof BrokenRelease) {
      const kind = error.link === 'attestation' ? 'attestation_changed' : 'version_contradicted';
      inspection.found(kind, where, `${error.where} is ${error.actual}; ${error.expected} is expected`);
    } else throw error;
  }
}
