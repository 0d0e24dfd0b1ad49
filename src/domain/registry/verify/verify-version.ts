import { formatTime } from '../../../platform/clock/clock.ts';
import type { PublicKey } from '../../../platform/signatures/public-key.ts';
import { missingGuards } from '../fsck/missing-guards.ts';
import type { Coordinate } from '../package-types/package-type.ts';
import { showVersion } from '../packages/describe-version.ts';
import { formatCoordinate } from '../packages/parse-coordinate.ts';
import type { Registry } from '../registry.ts';
import type { Releases } from '../release/releases.ts';
import { BrokenRelease } from './release-link.ts';
import { storeRelease } from './store-release.ts';
import { unreadableIsBroken } from './unreadable-is-broken.ts';
import { brokenRelease, type ReleaseVerification, verifyRelease } from './verify-release.ts';

export interface VerifyVersion {
  readonly repo: string;
  readonly coordinate: Coordinate;
  /** The key that must have signed it; the workspace's own unless given. */
  readonly key: PublicKey | null;
  /** Where to look for the commit; the workspace's own checkout unless given. */
  readonly checkout: string | null;
}

/**
 * Verifies a published version of this workspace: package, attestation, run, receipts, ledger, snapshot, commit.
 * @throws WaybillError `version_not_found`, `signing_key_invalid`
 */
export async function verifyVersion(
  { registry, signing, commits, root }: Releases,
  { repo, coordinate, key, checkout }: VerifyVersion,
): Promise<ReleaseVerification> {
  const pinned = await signing.pinned();
  const { problems: guards } = await missingGuards(registry.store);
  try {
    const source = await unreadableIsBroken(storeRelease(registry, repo, coordinate));
    const how = { given: key, pinned, commits, root: checkout ?? root, guessed: false };
    const found = await unreadableIsBroken(verifyRelease(source, how));
    // Of one that is broken the row may be what cannot be read; the link that is broken says more than a warning.
    const warnings = found.intact ? await warningsOf(registry, repo, source.content.versionId) : [];
    return { ...found, guards, warnings };
  } catch (error) {
    // It could not even be read.
    if (!(error instanceof BrokenRelease)) throw error;
    return { ...brokenRelease(formatCoordinate(coordinate), error), guards, warnings: [] };
  }
}

async function warningsOf(registry: Registry, repo: string, versionId: string): Promise<readonly string[]> {
  const { tombstoned, quarantine } = await showVersion(registry, repo, versionId);
  return [
    ...(tombstoned === null ? [] : [`it was tombstoned at ${formatTime(tombstoned.at)}: ${tombstoned.reason}`]),
    ...quarantine.map(({ ruleId, reason }) => `the rule ${ruleId} holds it back: ${reason}`),
  ];
}
