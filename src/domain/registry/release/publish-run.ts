import { type ErrorCode, WaybillError } from '../../../contract/errors.ts';
import type { Digest, RunId, VersionId } from '../../../contract/ids.ts';
import { digestOf } from '../../../platform/digests/digest.ts';
import { buildStatement } from '../attestation/build-statement.ts';
import type { RunArtifact } from '../attestation/run-evidence.ts';
import { signStatement } from '../attestation/sign-statement.ts';
import { addBlob } from '../blobs/add-blob.ts';
import { createDraft } from '../drafts/create-draft.ts';
import { putManifest } from '../manifests/put-manifest.ts';
import type { Coordinate, Entry } from '../package-types/package-type.ts';
import { showVersion, type VersionDescription } from '../packages/describe-version.ts';
import { formatCoordinate } from '../packages/parse-coordinate.ts';
import { publishVersion } from '../publish/publish-version.ts';
import { versionDigest } from '../publish/version-digest.ts';
import { type Act, recordingRefusal } from '../recording-refusal.ts';
import type { Registry } from '../registry.ts';
import { chooseFiles, holdBytes } from './choose-files.ts';
import { findCoordinate } from './find-coordinate.ts';
import { manifestOfRelease } from './manifest-of-release.ts';
import type { Releases } from './releases.ts';
import { runOfRelease } from './run-of-release.ts';
import { sameEntries } from './same-entries.ts';

export interface PublishRun {
  readonly run: RunId;
  readonly repo: string;
  readonly coordinate: Coordinate;
  /** Globs of the files; all that the run made when there are none. */
  readonly files: readonly string[];
  /** Which file is the manifest, for types that have one among their files. */
  readonly manifest: string | null;
  /** Publish without an attestation. */
  readonly unsigned: boolean;
}

/** What a publish of a run is at, for who waits for it. */
export type PublishStage = 'checking the run' | 'attaching files' | 'signing' | 'publishing';

export interface PublishedRun extends VersionDescription {
  /** True when this very version was published before: nothing was done. */
  readonly idempotent: boolean;
  readonly files: readonly RunArtifact[];
}

/**
 * Publishes what a run made: draft, entries, manifest, attestation, gates, all with the functions of each. Every step finds
 * what an earlier, killed attempt left, so that doing it again comes to the same version.
 * @throws WaybillError `run_not_found`, `run_not_succeeded`, `chain_broken`, `draft_empty`, `blob_missing`,
 * `signing_key_missing` (before anything is changed), `version_conflict` with both digests, and what the steps throw
 */
export async function publishRun(
  releases: Releases,
  request: PublishRun,
  by: string,
  onStage: (stage: PublishStage) => void = () => {},
): Promise<PublishedRun> {
  for (let tries = 1; ; tries++) {
    try {
      return await publishOnce(releases, request, by, onStage);
    } catch (error) {
      // Somebody published, deleted or made this very version meanwhile: what there is now decides.
      const overtaken = error instanceof WaybillError && overtakenBy.has(error.code);
      if (!overtaken || tries === mostTries) throw error;
    }
  }
}

const mostTries = 3;
const overtakenBy: ReadonlySet<ErrorCode> = new Set(['version_immutable', 'version_exists', 'version_not_found']);

async function publishOnce(
  releases: Releases,
  request: PublishRun,
  by: string,
  onStage: (stage: PublishStage) => void,
): Promise<PublishedRun> {
  const { registry, signing } = releases;
  const { repo, coordinate, unsigned } = request;
  // What is refused before there is a draft would leave no record otherwise.
  const recorded = <T>(work: () => Promise<T>) => recordingRefusal(registry, actOf(request, by), work);
  onStage('checking the run');
  const { run, files, entries, body } = await recorded(() => gather(registry, request));
  const digest = digestWith(registry, { coordinate, entries, body });
  const there = await findCoordinate(registry, repo, coordinate);
  if (there !== null && there.state !== 'draft') {
    const { versionId } = there;
    const { idempotent } = await publishVersion(registry, { repo, versionId, expectedDigest: digest }, by);
    return { ...(await showVersion(registry, repo, versionId)), idempotent, files };
  }
  const signer = unsigned ? null : await recorded(() => signing.open());
  onStage('attaching files');
  const wanted = { repo, coordinate, run: request.run, entries, isThere: there !== null };
  const versionId = await makeDraft(registry, wanted, by);
  await putManifest(registry, { repo, versionId, mediaType: mediaTypeOf(registry, coordinate), body }, by);
  onStage('signing');
  const attestation =
    signer === null ? null : signStatement(buildStatement({ coordinate, digest, entries }, run), signer);
  onStage('publishing');
  const { idempotent } = await publishVersion(
    registry,
    { repo, versionId, expectedDigest: digest, ...(attestation === null ? {} : { attestation }) },
    by,
  );
  return { ...(await showVersion(registry, repo, versionId)), idempotent, files };
}

function actOf({ repo, coordinate, run }: PublishRun, by: string): Act {
  return {
    action: 'package.version.published',
    otherwise: { refused: 'package.version.publish.refused', failed: 'package.version.publish.failed' },
    resource: formatCoordinate(coordinate),
    by,
    details: { repo, run },
  };
}

/** The run with its evidence, and what of it is published. */
async function gather(registry: Registry, { run: runId, coordinate, files: globs, manifest }: PublishRun) {
  const run = await runOfRelease(registry, runId);
  const files = chooseFiles(run, globs);
  const entries: readonly Entry[] = files.map((file) => ({ ...file, mediaType: null }));
  await holdBytes(registry, files);
  const body = await manifestOfRelease(registry, { coordinate, entries }, run, manifest);
  return { run, files, entries, body };
}

/** A draft with exactly these entries, whose blobs are in its repo. */
async function makeDraft(
  registry: Registry,
  wanted: {
    readonly repo: string;
    readonly coordinate: Coordinate;
    readonly run: RunId;
    readonly entries: readonly Entry[];
    readonly isThere: boolean;
  },
  by: string,
): Promise<VersionId> {
  const { repo, coordinate, run, entries, isThere } = wanted;
  const sizes = new Map(entries.map(({ digest, size }) => [digest, size]));
  await registry.store.write(async (tx) => {
    // In one order for everybody: of two that add the same blobs one waits for the other, and never both.
    for (const [digest, size] of [...sizes].sort(byDigest)) await addBlob(tx, registry, { repo, digest, size }, by);
  });
  // What an earlier attempt left may not go together with what this one wants: that is taken out first.
  const draft = { ...coordinate, repo, run };
  const { versionId, reusedDraft } = await createDraft(registry, isThere ? draft : { ...draft, entries }, by);
  if (isThere || reusedDraft) await sameEntries(registry, { repo, versionId, entries }, by);
  return versionId;
}

function byDigest([a]: readonly [Digest, number], [b]: readonly [Digest, number]): number {
  return a < b ? -1 : 1;
}

function mediaTypeOf({ types }: Registry, { type }: Coordinate): string | null {
  return types.get(type)?.mediaTypes[0] ?? null;
}

function digestWith(
  registry: Registry,
  {
    coordinate,
    entries,
    body,
  }: { readonly coordinate: Coordinate; readonly entries: readonly Entry[]; readonly body: Uint8Array },
): Digest {
  const mediaType = mediaTypeOf(registry, coordinate) ?? '';
  return versionDigest({ coordinate, entries, manifest: { digest: digestOf(body), size: body.length, mediaType } });
}
