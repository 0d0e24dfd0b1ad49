import type { Registry } from '../registry.ts';
import { requireRepo } from '../repos/require-repo.ts';
import { describeVersion, type VersionDescription } from './describe-version.ts';
import type { WrittenCoordinate } from './parse-coordinate.ts';
import { requirePackage, requireVersion, resolveWritten } from './resolve-package.ts';

/**
 * The version of exactly this coordinate, published or tombstoned.
 * @throws WaybillError `repo_not_found`, `package_not_found`, `version_not_found`
 */
export function findVersion(
  { store }: Pick<Registry, 'store'>,
  repo: string,
  { type, name, version }: { readonly type: string | null; readonly name: string; readonly version: string },
): Promise<VersionDescription> {
  return store.read(async (tx) => {
    await requireRepo(tx, repo);
    const found = await requirePackage(tx, repo, { type, name });
    return await describeVersion(tx, repo, await requireVersion(tx, found, version));
  });
}

/**
 * The version a person means by `name@version`, `name@tag` or `name`: a version of that name wins over a tag, and
 * without either it is the one `latest` points to.
 * @throws WaybillError `repo_not_found`, `package_not_found`, `version_not_found`, `invalid_argument`
 */
export function findWritten(
  { store }: Pick<Registry, 'store'>,
  repo: string,
  written: WrittenCoordinate,
): Promise<VersionDescription> {
  return store.read(async (tx) => {
    await requireRepo(tx, repo);
    return await describeVersion(tx, repo, await resolveWritten(tx, repo, written));
  });
}
