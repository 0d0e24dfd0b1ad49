import { WaybillError } from '../../../contract/errors.ts';
import type { Digest } from '../../../contract/ids.ts';
import type { GateStanding } from '../../gates/gate.ts';
import { formatCoordinate } from '../packages/parse-coordinate.ts';
import type { VersionRow } from '../version-row.ts';
import type { HeldEntry } from './read-content.ts';

/** Each guard of a publish has a code of its own, and its error lists all that is missing. */

export function versionTombstoned({ versionId, coordinate, digest }: VersionRow): WaybillError {
  const named = `${formatCoordinate(coordinate)} (${versionId})`;
  return new WaybillError('version_tombstoned', `${named} is tombstoned; its coordinate stays taken`, {
    hint: 'Publish the next version.',
    details: { versionId, digest },
  });
}

export function versionConflict(
  { versionId, coordinate }: Pick<VersionRow, 'versionId' | 'coordinate'>,
  expected: string,
  actual: string,
): WaybillError {
  const named = `${formatCoordinate(coordinate)} (${versionId})`;
  return new WaybillError('version_conflict', `${named} has the digest ${actual}, not ${expected}`, {
    hint: 'The coordinate has, or was given meanwhile, other content: look at it, and publish the next version.',
    details: { versionId, expected, actual },
  });
}

/** Somebody works on this coordinate step by step: what is in that draft is theirs. */
export function draftInTheWay({ versionId, coordinate }: VersionRow): WaybillError {
  return new WaybillError('version_exists', `${formatCoordinate(coordinate)} is a draft, ${versionId}`, {
    hint: 'Publish that draft, or delete it.',
    details: { versionId, state: 'draft', digest: null },
  });
}

/** @throws WaybillError `draft_empty` */
export function assertHasEntries({ versionId }: VersionRow, entries: readonly HeldEntry[]): void {
  if (entries.length > 0) return;
  throw new WaybillError('draft_empty', `the draft ${versionId} has no entries`, {
    hint: 'Give it at least one file, then publish.',
    details: { versionId },
  });
}

/** @throws WaybillError `blob_not_found` with every digest its repo does not hold */
export function assertBlobsInRepo({ repo }: VersionRow, entries: readonly HeldEntry[]): void {
  const missing = [...new Set(entries.filter(({ held }) => !held).map(({ digest }) => digest))];
  if (missing.length === 0) return;
  throw new WaybillError('blob_not_found', `${missing.length} blobs of the draft are not in the repo ${repo}`, {
    hint: 'Upload them to this repo, then publish again.',
    details: { repo, missing },
  });
}

/** @throws WaybillError `blob_unavailable` with every digest whose bytes are gone from the store */
export function assertBlobsInStore(missing: readonly Digest[]): void {
  if (missing.length === 0) return;
  throw new WaybillError('blob_unavailable', `the bytes of ${missing.length} blobs of the draft are not in the store`, {
    hint: 'Upload them again, then publish; `waybill fsck` says what else is missing.',
    details: { missing },
  });
}

/** @throws WaybillError `manifest_missing` */
export function manifestMissing({ versionId }: VersionRow): WaybillError {
  return new WaybillError('manifest_missing', `the draft ${versionId} has no manifest`, {
    hint: 'Put one, then publish.',
    details: { versionId },
  });
}

/** @throws WaybillError `gates_not_green` with every gate that is not, and why */
export function assertGatesGreen(standings: readonly GateStanding[]): void {
  const not = standings.filter(({ state }) => state !== 'green');
  if (not.length === 0) return;
  const list = not.map(({ gate, state, problems }) => {
    const [first] = problems;
    return `${gate} is ${state}${first === undefined ? '' : ` (${first.where}: ${first.message})`}`;
  });
  throw new WaybillError('gates_not_green', `not every required gate is green: ${list.join('; ')}`, {
    hint: 'Mend what the gates found; their evidence is bound to the digest of the version.',
    details: {
      gates: not.map(({ gate, state, evidence, problems }) => ({
        gate,
        state,
        evidence,
        problems: problems.map(({ where, message }) => ({ where, message })),
      })),
    },
  });
}
