import type { Micros } from '../../../platform/clock/clock.ts';
import { formatCoordinate } from '../packages/parse-coordinate.ts';
import type { VersionRow } from '../version-row.ts';

interface EntryCounts {
  readonly added: number;
  readonly replaced: number;
  readonly removed: number;
  /** How many there are afterwards. */
  readonly count: number;
}

/** The audit record of a change of entries. */
export function entriesRecord(
  { versionId, repo, coordinate }: Pick<VersionRow, 'versionId' | 'repo' | 'coordinate'>,
  { added, replaced, removed, count }: EntryCounts,
  at: Micros,
  by: string,
) {
  return {
    at,
    actor: by,
    action: 'package.version.entries.changed',
    resource: versionId,
    outcome: 'succeeded',
    details: { repo, coordinate: formatCoordinate(coordinate), added, replaced, removed, count },
  } as const;
}
