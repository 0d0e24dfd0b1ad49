import { parseId, type VersionId } from '../../../contract/ids.ts';
import type { Coordinate } from '../package-types/package-type.ts';
import type { Registry } from '../registry.ts';
import { requireRepo } from '../repos/require-repo.ts';
import type { VersionState } from '../states.ts';

/** The version of a coordinate, in whatever state; null when there is none. @throws WaybillError `repo_not_found` */
export function findCoordinate(
  { store }: Registry,
  repo: string,
  { type, name, version }: Coordinate,
): Promise<{ readonly versionId: VersionId; readonly state: VersionState } | null> {
  return store.read(async (tx) => {
    await requireRepo(tx, repo);
    const row = await tx.db
      .selectFrom('version')
      .innerJoin('package', 'package.id', 'version.package')
      .select(['version.id', 'version.state'])
      .where('package.repo', '=', repo)
      .where('package.type', '=', type)
      .where('package.name', '=', name)
      .where('version.version', '=', version)
      .executeTakeFirst();
    return row === undefined ? null : { versionId: parseId('version', row.id), state: row.state };
  });
}
