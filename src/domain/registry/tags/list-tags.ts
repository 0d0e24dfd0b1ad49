import { WaybillError } from '../../../contract/errors.ts';
import { parseId } from '../../../contract/ids.ts';
import { requirePackage } from '../packages/resolve-package.ts';
import type { Registry } from '../registry.ts';
import { requireRepo } from '../repos/require-repo.ts';
import { latestTag, resolveTag, type Tag } from './resolve-tag.ts';

export interface NamedPackage {
  readonly repo: string;
  readonly type: string | null;
  readonly name: string;
}

/**
 * The tags of a package, by name.
 * @throws WaybillError `repo_not_found`, `package_not_found`
 */
export function listTags(
  { store }: Pick<Registry, 'store'>,
  { repo, ...named }: NamedPackage,
): Promise<readonly Tag[]> {
  return store.read(async (tx) => {
    await requireRepo(tx, repo);
    const found = await requirePackage(tx, repo, named);
    const rows = await tx.db
      .selectFrom('tag')
      .innerJoin('version', 'version.id', 'tag.version')
      .select(['tag.tag', 'version.id', 'version.version', 'tag.updated_at', 'tag.updated_by'])
      .where('tag.package', '=', found.id)
      .orderBy('tag.tag')
      .execute();
    const tags = rows.map(
      ({ tag, id, version, updated_at, updated_by }): Tag => ({
        tag,
        versionId: parseId('version', id),
        version,
        updatedAt: updated_at,
        updatedBy: updated_by,
        automatic: false,
      }),
    );
    if (tags.some(({ tag }) => tag === latestTag)) return tags;
    const latest = await resolveTag(tx, found, latestTag);
    if (latest === null) return tags;
    return [...tags, latest].sort((a, b) => (a.tag < b.tag ? -1 : 1));
  });
}

/** @throws WaybillError `repo_not_found`, `package_not_found`, `tag_not_found` */
export function showTag(
  { store }: Pick<Registry, 'store'>,
  { repo, tag, ...named }: NamedPackage & { readonly tag: string },
): Promise<Tag> {
  return store.read(async (tx) => {
    await requireRepo(tx, repo);
    const found = await resolveTag(tx, await requirePackage(tx, repo, named), tag);
    return found ?? tagNotFound(named.name, tag);
  });
}

/** @throws WaybillError `tag_not_found` */
function tagNotFound(name: string, tag: string): never {
  throw new WaybillError('tag_not_found', `the package ${name} has no tag ${tag.slice(0, 128)}`, {
    hint: `List its tags with: waybill tags list ${name}`,
  });
}
