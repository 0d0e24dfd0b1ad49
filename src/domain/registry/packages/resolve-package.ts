import { WaybillError } from '../../../contract/errors.ts';
import { type PackageId, parseId, type VersionId } from '../../../contract/ids.ts';
import type { ReadTx } from '../../../platform/store/store.ts';
import { resolveTag } from '../tags/resolve-tag.ts';
import { formatCoordinate, type WrittenCoordinate } from './parse-coordinate.ts';

export interface PackageRow {
  readonly id: PackageId;
  readonly type: string;
  readonly name: string;
}

/**
 * A package of a repo by its name; where its type was not said there has to be one of that name only.
 * @throws WaybillError `package_not_found`, `invalid_argument` when several types have the name
 */
export async function requirePackage(
  { db }: Pick<ReadTx, 'db'>,
  repo: string,
  { type, name }: Pick<WrittenCoordinate, 'type' | 'name'>,
): Promise<PackageRow> {
  let query = db
    .selectFrom('package')
    .select(['id', 'type', 'name'])
    .where('repo', '=', repo)
    .where('name', '=', name)
    .orderBy('type');
  if (type !== null) query = query.where('type', '=', type);
  const [first, ...others] = await query.execute();
  if (first === undefined) throw packageNotFound(repo, { type, name });
  if (others.length === 0) return { ...first, id: parseId('package', first.id) };
  const types = [first, ...others].map((each) => `${each.type}:${name}`);
  throw new WaybillError('invalid_argument', `the repo ${repo} has several packages ${name}: ${types.join(', ')}`, {
    hint: `Say which: ${types[0]}.`,
  });
}

/**
 * The version a coordinate names, published or tombstoned.
 * @throws WaybillError `version_not_found`; its hint names the draft when the coordinate has one
 */
export async function requireVersion(
  { db }: Pick<ReadTx, 'db'>,
  { id, type, name }: PackageRow,
  version: string,
): Promise<VersionId> {
  const row = await db
    .selectFrom('version')
    .select(['id', 'state'])
    .where('package', '=', id)
    .where('version', '=', version)
    .executeTakeFirst();
  if (row !== undefined && row.state !== 'draft') return parseId('version', row.id);
  throw new WaybillError('version_not_found', `${formatCoordinate({ type, name, version })} is not published`, {
    hint:
      row === undefined
        ? `Give a version, not a tag; list them with: waybill packages versions ${name}`
        : `There is a draft: ${row.id}.`,
  });
}

/**
 * The version a person means by a version or a tag: a version of that name wins; without either it is `latest`.
 * @throws WaybillError `package_not_found`, `version_not_found`, `tag_not_found`
 */
export async function resolveWritten(
  tx: Pick<ReadTx, 'db'>,
  repo: string,
  written: WrittenCoordinate,
): Promise<VersionId> {
  const found = await requirePackage(tx, repo, written);
  const named = written.version ?? 'latest';
  const exact = await tx.db
    .selectFrom('version')
    .select('id')
    .where('package', '=', found.id)
    .where('version', '=', named)
    .where('state', '<>', 'draft')
    .executeTakeFirst();
  if (exact !== undefined) return parseId('version', exact.id);
  const tagged = await resolveTag(tx, found, named);
  if (tagged !== null) return tagged.versionId;
  return await requireVersion(tx, found, named);
}

export function packageNotFound(
  repo: string,
  { type, name }: { readonly type: string | null; readonly name: string },
): WaybillError {
  const named = type === null ? name : `${type}:${name}`;
  return new WaybillError('package_not_found', `there is no package ${named.slice(0, 300)} in the repo ${repo}`, {
    hint: `List the packages with: waybill packages --repo ${repo}`,
  });
}
