import type { ListedVersion, Version } from '../contract/api/packages.ts';
import type {
  ListedVersion as DomainListed,
  VersionDescription,
} from '../domain/registry/packages/describe-version.ts';
import { formatTime, type Micros } from '../platform/clock/clock.ts';

/** A version in any state, as every surface shows it. */
export function versionView(version: VersionDescription): Version {
  const { gates, entries, manifest, attestation } = version;
  return {
    ...listedVersionView(version),
    gates: gates?.map((passed) => ({ ...passed })) ?? null,
    entries: { ...entries },
    manifest: manifest && { ...manifest },
    attestation: attestation && { ...attestation },
  };
}

/** A version as one row of a list. */
export function listedVersionView(version: DomainListed): ListedVersion {
  const { versionId, repo, coordinate, state, digest, run, tags, quarantine, published, tombstoned } = version;
  return {
    versionId,
    repo,
    type: coordinate.type,
    name: coordinate.name,
    version: coordinate.version,
    state,
    digest,
    run,
    tags: [...tags],
    quarantine: quarantine.map(({ ruleId, reason, since }) => ({ ruleId, reason, since: formatTime(since) })),
    createdAt: formatTime(version.createdAt),
    createdBy: version.createdBy,
    expiresAt: maybeTime(version.expiresAt),
    publishedAt: maybeTime(published?.at ?? null),
    publishedBy: published?.by ?? null,
    tombstonedAt: maybeTime(tombstoned?.at ?? null),
    tombstonedBy: tombstoned?.by ?? null,
    tombstoneReason: tombstoned?.reason ?? null,
  };
}

function maybeTime(time: Micros | null): string | null {
  return time === null ? null : formatTime(time);
}
