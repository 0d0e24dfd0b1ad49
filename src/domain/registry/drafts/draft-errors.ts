import { WaybillError } from '../../../contract/errors.ts';
import type { VersionId } from '../../../contract/ids.ts';
import { formatTime, type Micros } from '../../../platform/clock/clock.ts';
import type { RequestProblem } from '../entries/new-entry.ts';
import type { Coordinate } from '../package-types/package-type.ts';
import { formatCoordinate } from '../packages/parse-coordinate.ts';
import type { VersionState } from '../states.ts';

/** A request whose parts do not fit, each with its place. */
export function invalidDraft(problems: readonly RequestProblem[]): WaybillError {
  const [first] = problems;
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : '';
  return new WaybillError('invalid_input', `the request cannot be used: ${first?.path} ${first?.message}${more}`, {
    hint: 'Each problem names a part of the request and what is wrong with it.',
    details: { problems: problems.map(({ path, message }) => ({ path, message })) },
  });
}

interface Taken {
  readonly versionId: VersionId;
  readonly state: VersionState;
  readonly digest: string | null;
}

/** The coordinate is taken for ever. */
export function versionExists(coordinate: Coordinate, { versionId, state, digest }: Taken): WaybillError {
  const words = `${state} as ${versionId}, with the digest ${digest}`;
  return new WaybillError('version_exists', `${formatCoordinate(coordinate)} is ${words}`, {
    hint: 'A coordinate is given out once: choose the next version.',
    details: { versionId, state, digest, problems: [{ path: 'version', message: `is ${words}` }] },
  });
}

/** What was published is never changed. */
export function versionImmutable({ versionId, state, digest }: Taken): WaybillError {
  return new WaybillError('version_immutable', `${versionId} is ${state}, and never changes any more`, {
    hint: 'Make a draft of the next version.',
    details: { versionId, state, digest },
  });
}

export function draftExpired(versionId: VersionId, expiresAt: Micros): WaybillError {
  return new WaybillError('draft_expired', `the draft ${versionId} expired at ${formatTime(expiresAt)}`, {
    hint: 'Make the draft again; its blobs are still there for a while.',
    details: { versionId, expiredAt: formatTime(expiresAt) },
  });
}

/** There is a draft of this coordinate, made from something else. */
export function draftOfAnotherRun(versionId: VersionId, actual: string | null, expected: string): WaybillError {
  const whose = actual === null ? 'was not made by a run' : `was made by ${actual}`;
  return new WaybillError(
    'version_conflict',
    `the draft ${versionId} of this coordinate ${whose}, not by ${expected}`,
    {
      hint: 'Publish or delete that draft first, or choose another version.',
      details: { versionId, actual, expected, problems: [{ path: 'run', message: `is not that of ${versionId}` }] },
    },
  );
}
