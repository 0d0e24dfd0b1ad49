import { errorCodes, WaybillError } from '../../../contract/errors.ts';
import { auditStatement } from '../../../platform/journal/audit.ts';
import type { Registry } from '../registry.ts';
import type { PublishRequest } from './publish-version.ts';

/**
 * The audit record of a publish that was refused, or that failed: committed by itself, before anybody is answered.
 * @throws WaybillError `store_*` with the attempt's own error as its cause, when not even that could be kept
 */
export async function recordAttempt(
  { store, clock }: Registry,
  { repo, versionId, expectedDigest }: PublishRequest,
  by: string,
  error: unknown,
): Promise<void> {
  const code = error instanceof WaybillError ? error.code : 'internal';
  const refused = errorCodes[code] !== 3;
  const record = {
    at: clock.now(),
    actor: by,
    action: refused ? 'package.version.publish.refused' : 'package.version.publish.failed',
    resource: versionId,
    outcome: refused ? 'refused' : 'failed',
    reason: code,
    details: { repo, ...(expectedDigest === undefined ? {} : { expectedDigest }) },
  } as const;
  try {
    await store.submit({ statements: [auditStatement([record])] });
  } catch (unrecorded) {
    if (!(unrecorded instanceof WaybillError)) throw unrecorded;
    const { hint, details } = unrecorded;
    throw new WaybillError(
      unrecorded.code,
      `the publish ended with ${code}, and its record could not be kept: ${unrecorded.message}`,
      {
        ...(hint === undefined ? {} : { hint }),
        ...(details === undefined ? {} : { details }),
        cause: error,
      },
    );
  }
  store.hints.announce('audit');
}
