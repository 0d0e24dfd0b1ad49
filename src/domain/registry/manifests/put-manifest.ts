import { WaybillError } from '../../../contract/errors.ts';
import { type Digest, isId } from '../../../contract/ids.ts';
import { digestOf, parseDigest } from '../../../platform/digests/digest.ts';
import { commit } from '../../../platform/journal/commit.ts';
import { changeDraft } from '../drafts/change-draft.ts';
import { versionImmutable } from '../drafts/draft-errors.ts';
import type { ManifestProblem } from '../package-types/package-type.ts';
import { formatCoordinate } from '../packages/parse-coordinate.ts';
import { recordingRefusal } from '../recording-refusal.ts';
import type { Registry } from '../registry.ts';
import { versionNotFound } from '../version-not-found.ts';
import { readVersionRow } from '../version-row.ts';
import { manifestInvalid } from './manifest-invalid.ts';
import { manifestProblemsOf } from './manifest-problems-of.ts';
import { mostManifestBytes } from './most-manifest-bytes.ts';

export interface PutManifest {
  readonly repo: string;
  readonly versionId: string;
  /** As `Content-Type` says, its parameters aside; the first of the type's when nothing was said. */
  readonly mediaType: string | null;
  /** Kept exactly as they are. */
  readonly body: Uint8Array;
}

export interface ManifestAnswer {
  readonly digest: Digest;
  readonly size: number;
  readonly mediaType: string;
  /** False when the draft had these very bytes. */
  readonly changed: boolean;
  /** What still keeps the version from being published: entries that are missing, or differ. */
  readonly pending: readonly ManifestProblem[];
}

/**
 * Gives a draft its manifest, or another one. It may come before the entries it speaks of.
 * @throws WaybillError `manifest_invalid` with every problem at its JSON pointer, `unsupported_media_type`,
 * `body_too_large`, `version_not_found`, `version_immutable`, `draft_expired`
 */
export async function putManifest(registry: Registry, request: PutManifest, by: string): Promise<ManifestAnswer> {
  const { repo, versionId, body } = request;
  if (body.length > mostManifestBytes) {
    throw new WaybillError('body_too_large', `a manifest has at most ${mostManifestBytes} bytes, not ${body.length}`);
  }
  const action = 'package.version.manifest.changed' as const;
  return recordingRefusal(registry, { action, resource: versionId, by, details: { repo } }, async () => {
    const { mediaType, pending } = await checkManifest(registry, request);
    const facts = { digest: digestOf(body), size: body.length, mediaType };
    const changed = await changeDraft(registry, request, async (tx, draft) => {
      const { db } = tx;
      const { versionId: version } = draft;
      const there = await db
        .selectFrom('version_manifest')
        .select(['digest', 'media_type'])
        .where('version', '=', version)
        .executeTakeFirst();
      if (there?.digest === facts.digest && there.media_type === mediaType) return false;
      const coordinate = formatCoordinate(draft.coordinate);
      await commit(tx, {
        change: async () => {
          if (there !== undefined) await db.deleteFrom('version_manifest').where('version', '=', version).execute();
          const { digest, size } = facts;
          await db
            .insertInto('version_manifest')
            .values({ version, media_type: mediaType, body, digest, size })
            .execute();
        },
        audit: [
          {
            at: registry.clock.now(),
            actor: by,
            action,
            resource: version,
            outcome: 'succeeded',
            details: { repo, coordinate, ...facts, before: there?.digest ?? null },
          },
        ],
      });
      return true;
    });
    return { ...facts, changed, pending };
  });
}

/** Before the lock: what is asked for never changes (coordinate, run), or is only told (entries, which a publish looks at again). */
async function checkManifest({ store, types }: Registry, { repo, versionId, mediaType: given, body }: PutManifest) {
  const subject = await store.read(async (tx) => {
    const row = isId('version', versionId) ? await readVersionRow(tx, repo, versionId, false) : undefined;
    if (row === undefined) throw versionNotFound(repo, versionId);
    if (row.state !== 'draft') throw versionImmutable(row);
    const entries = await tx.db
      .selectFrom('version_entry')
      .select(['path', 'digest', 'size', 'media_type as mediaType'])
      .where('version', '=', row.versionId)
      .execute();
    return {
      coordinate: row.coordinate,
      run: row.run,
      entries: entries.map((entry) => ({ ...entry, digest: parseDigest(entry.digest) })),
    };
  });
  const mediaTypes: readonly string[] = types.get(subject.coordinate.type)?.mediaTypes ?? [];
  const mediaType = given ?? mediaTypes[0] ?? 'application/octet-stream';
  if (mediaTypes.length > 0 && !mediaTypes.includes(mediaType)) {
    const { type } = subject.coordinate;
    throw new WaybillError('unsupported_media_type', `${mediaType} is no manifest of the type "${type}"`, {
      hint: `Its manifests are ${mediaTypes.join(' or ')}.`,
    });
  }
  const problems = manifestProblemsOf({ types }, { mediaType, body }, subject);
  const wrong = problems.filter(({ pending }) => pending !== true);
  if (wrong.length > 0) throw manifestInvalid(wrong);
  return { mediaType, pending: problems };
}
