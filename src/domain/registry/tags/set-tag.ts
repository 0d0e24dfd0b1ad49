import { tagShape } from '../../../contract/api/tags.ts';
import { WaybillError } from '../../../contract/errors.ts';
import { commit } from '../../../platform/journal/commit.ts';
import type { LockedTx } from '../../../platform/store/store.ts';
import { formatCoordinate } from '../packages/parse-coordinate.ts';
import { type PackageRow, requirePackage, requireVersion } from '../packages/resolve-package.ts';
import { recordingRefusal } from '../recording-refusal.ts';
import type { Registry } from '../registry.ts';
import { requireRepo } from '../repos/require-repo.ts';
import type { NamedPackage } from './list-tags.ts';
import { resolveTag, type Tag } from './resolve-tag.ts';

export interface ChangedTag extends Tag {
  /** False when it pointed there already: nothing was done. */
  readonly changed: boolean;
}

/**
 * Makes a tag point to a published version of its package, wherever it pointed before.
 * @throws WaybillError `invalid_argument` for what is no tag, `repo_not_found`, `package_not_found`, `version_not_found`,
 * `version_tombstoned`, `version_exists` when a version has the name of the tag
 */
export async function setTag(
  registry: Registry,
  request: NamedPackage & { readonly tag: string; readonly version: string },
  by: string,
): Promise<ChangedTag> {
  const { repo, tag, version } = request;
  const { store, clock } = registry;
  assertTag(tag);
  const resource = `${repo}/${request.type ?? '?'}:${request.name}@${tag}`;
  return await recordingRefusal(
    registry,
    { action: 'package.tag.changed', resource, by, details: { version } },
    async () => {
      const found = await packageOf(registry, request);
      return await store.locked({ table: 'package', key: { id: found.id } }, async (tx) => {
        const before = await resolveTag(tx, found, tag);
        const versionId = await taggable(tx, found, tag, version);
        if (before !== null && !before.automatic && before.versionId === versionId)
          return { ...before, changed: false };
        const at = clock.now();
        const row = { package: found.id, tag, version: versionId, updated_at: at, updated_by: by };
        await commit(tx, {
          change: async () => {
            if (before === null || before.automatic) await tx.db.insertInto('tag').values(row).execute();
            else {
              const { version: to, updated_at, updated_by } = row;
              await tx.db
                .updateTable('tag')
                .set({ version: to, updated_at, updated_by })
                .where('package', '=', found.id)
                .where('tag', '=', tag)
                .execute();
            }
          },
          audit: [
            {
              at,
              actor: by,
              action: 'package.tag.changed',
              resource: `${repo}/${found.type}:${found.name}@${tag}`,
              outcome: 'succeeded',
              details: { version, versionId, before: before?.automatic === false ? before.version : null },
            },
          ],
        });
        return { tag, versionId, version, updatedAt: at, updatedBy: by, automatic: false, changed: true };
      });
    },
  );
}

/**
 * Removes a tag; the versions stay.
 * @returns what it was
 * @throws WaybillError `invalid_argument` for what is no tag, `repo_not_found`, `package_not_found`, `tag_not_found`
 */
export async function removeTag(
  registry: Registry,
  request: NamedPackage & { readonly tag: string },
  by: string,
): Promise<Tag> {
  const { repo, tag } = request;
  const { store, clock } = registry;
  assertTag(tag);
  const resource = `${repo}/${request.type ?? '?'}:${request.name}@${tag}`;
  return await recordingRefusal(registry, { action: 'package.tag.removed', resource, by }, async () => {
    const found = await packageOf(registry, request);
    return await store.locked({ table: 'package', key: { id: found.id } }, async (tx) => {
      const was = await resolveTag(tx, found, tag);
      if (was === null || was.automatic) {
        throw new WaybillError('tag_not_found', `nobody has set the tag ${tag} of ${found.name}`, {
          hint: `List its tags with: waybill tags list ${found.name}`,
        });
      }
      await commit(tx, {
        change: async () => {
          await tx.db.deleteFrom('tag').where('package', '=', found.id).where('tag', '=', tag).execute();
        },
        audit: [
          {
            at: clock.now(),
            actor: by,
            action: 'package.tag.removed',
            resource: `${repo}/${found.type}:${found.name}@${tag}`,
            outcome: 'succeeded',
            details: { version: was.version, versionId: was.versionId },
          },
        ],
      });
      return was;
    });
  });
}

function packageOf({ store }: Registry, { repo, ...named }: NamedPackage): Promise<PackageRow> {
  return store.read(async (tx) => {
    await requireRepo(tx, repo);
    return await requirePackage(tx, repo, named);
  });
}

async function taggable(tx: LockedTx, found: PackageRow, tag: string, version: string) {
  const versionId = await requireVersion(tx, found, version);
  const of = { type: found.type, name: found.name };
  const rows = await tx.db
    .selectFrom('version')
    .select(['id', 'version', 'state', 'digest'])
    .where('package', '=', found.id)
    .where('version', 'in', [version, tag])
    .execute();
  if (rows.some(({ id, state }) => id === versionId && state === 'tombstoned')) {
    throw new WaybillError('version_tombstoned', `${formatCoordinate({ ...of, version })} is tombstoned`, {
      hint: 'A tag points to a published version.',
      details: { versionId },
    });
  }
  if (rows.some((row) => row.version === tag)) {
    throw new WaybillError('version_exists', `${formatCoordinate({ ...of, version: tag })} is a version`, {
      hint: 'Choose a tag that no version is named as.',
    });
  }
  return versionId;
}

/** @throws WaybillError `invalid_argument` */
function assertTag(tag: string): void {
  if (tagShape.test(tag)) return;
  throw new WaybillError('invalid_argument', `this is no tag: ${JSON.stringify(tag.slice(0, 128))}`, {
    hint: 'A tag is a letter, then letters, digits, ".", "_" or "-", and nothing like v1.2.',
  });
}
