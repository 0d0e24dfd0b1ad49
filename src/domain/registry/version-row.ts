import { parseId, type RunId, type VersionId } from '../../contract/ids.ts';
import type { Micros } from '../../platform/clock/clock.ts';
import type { ReadTx } from '../../platform/store/store.ts';
import type { Coordinate } from './package-types/package-type.ts';
import type { VersionState } from './states.ts';

/** A version's row, with that of its package. */
export interface VersionRow {
  readonly versionId: VersionId;
  readonly packageId: string;
  readonly repo: string;
  readonly coordinate: Coordinate;
  readonly state: VersionState;
  /** Null while it is a draft. */
  readonly digest: string | null;
  readonly run: RunId | null;
  readonly expiresAt: Micros | null;
  readonly publishedAt: Micros | null;
  readonly publishedBy: string | null;
  /** How many events its package has told so far. */
  readonly events: number;
}

/** A version of this repo; undefined when there is none. `lock` keeps its row until the transaction ends. */
export async function readVersionRow(
  { db }: Pick<ReadTx, 'db'>,
  repo: string,
  versionId: VersionId,
  lock: boolean,
): Promise<VersionRow | undefined> {
  const query = db
    .selectFrom('version')
    .innerJoin('package', 'package.id', 'version.package')
    .select([
      'version.package as packageId',
      'version.version',
      'version.state',
      'version.digest',
      'version.run',
      'version.expires_at as expiresAt',
      'version.published_at as publishedAt',
      'version.published_by as publishedBy',
      'package.type',
      'package.name',
      'package.events',
    ])
    .where('version.id', '=', versionId)
    .where('version.repo', '=', repo);
  const row = await (lock ? query.forUpdate() : query).executeTakeFirst();
  if (row === undefined) return undefined;
  const { type, name, version, run, ...rest } = row;
  return {
    ...rest,
    versionId,
    repo,
    coordinate: { type, name, version },
    run: run === null ? null : parseId('run', run),
  };
}
