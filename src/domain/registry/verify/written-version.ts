import type { Coordinate } from '../package-types/package-type.ts';
import type { WrittenCoordinate } from '../packages/parse-coordinate.ts';
import { resolveWritten } from '../packages/resolve-package.ts';
import type { Registry } from '../registry.ts';
import { requireRepo } from '../repos/require-repo.ts';

/**
 * Which version a person means, and nothing else of it: what is damaged of it is for the verification to find.
 * @throws WaybillError `repo_not_found`, `package_not_found`, `version_not_found`, `invalid_argument`
 */
export function writtenVersion(
  { store }: Pick<Registry, 'store'>,
  repo: string,
  written: WrittenCoordinate,
): Promise<Coordinate> {
  return store.read(async (tx) => {
    await requireRepo(tx, repo);
    const versionId = await resolveWritten(tx, repo, written);
    return await tx.db
      .selectFrom('version')
      .innerJoin('package', 'package.id', 'version.package')
      .select(['package.type', 'package.name', 'version.version'])
      .where('version.id', '=', versionId)
      .executeTakeFirstOrThrow();
  });
}
