import type { ListedVersion, Package, Version } from '../contract/api/packages.ts';
import type { Quarantined, Rule } from '../contract/api/policy.ts';
import type { ListedRepo, Repo } from '../contract/api/repos.ts';
import type { Tag } from '../contract/api/tags.ts';
import type {
  ListedVersion as ListedDomainVersion,
  VersionDescription,
} from '../domain/registry/packages/describe-version.ts';
import type { PackageDescription } from '../domain/registry/packages/list-packages.ts';
import type { Quarantined as DomainQuarantined } from '../domain/registry/policy/list-quarantine.ts';
import type { PolicyRule } from '../domain/registry/policy/rule-row.ts';
import type { ListedRepo as ListedDomainRepo, RepoDescription } from '../domain/registry/repos/show-repo.ts';
import type { Tag as DomainTag } from '../domain/registry/tags/resolve-tag.ts';
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
export function listedVersionView(version: ListedDomainVersion): ListedVersion {
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

export function repoView({ packages, versions, blobs, ...listed }: RepoDescription): Repo {
  return { ...listedRepoView(listed), packages, versions: { ...versions }, blobs: { ...blobs } };
}

export function listedRepoView({ key, description, createdAt, createdBy }: ListedDomainRepo): ListedRepo {
  return { key, description, createdAt: formatTime(createdAt), createdBy };
}

export function packageView({ repo, type, name, versions, latest, createdAt, createdBy }: PackageDescription): Package {
  return { repo, type, name, versions: { ...versions }, latest, createdAt: formatTime(createdAt), createdBy };
}

export function tagView({ tag, version, versionId, updatedAt, updatedBy, automatic }: DomainTag): Tag {
  return { tag, version, versionId, updatedAt: formatTime(updatedAt), updatedBy, automatic };
}

export function ruleView({ ruleId, repo, kind, parameters, blocks, reason, made, removed }: PolicyRule): Rule {
  return {
    ruleId,
    repo,
    kind,
    parameters: { ...parameters },
    blocks,
    reason,
    madeAt: formatTime(made.at),
    madeBy: made.by,
    removedAt: maybeTime(removed?.at ?? null),
    removedBy: removed?.by ?? null,
  };
}

export function quarantinedView(held: DomainQuarantined): Quarantined {
  const { versionId, coordinate, ruleId, reason, why, since, releasedAt } = held;
  return {
    versionId,
    type: coordinate.type,
    name: coordinate.name,
    version: coordinate.version,
    ruleId,
    reason,
    why,
    since: formatTime(since),
    releasedAt: maybeTime(releasedAt),
  };
}

function maybeTime(time: Micros | null): string | null {
  return time === null ? null : formatTime(time);
}
