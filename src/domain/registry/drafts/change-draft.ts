import { z } from 'zod';
import { WaybillError } from '../../../contract/errors.ts';
import { isId, parseId, type RunId, type VersionId } from '../../../contract/ids.ts';
import type { Micros } from '../../../platform/clock/clock.ts';
import type { LockedTx, PreparedSql, ReadTx } from '../../../platform/store/store.ts';
import type { Coordinate } from '../package-types/package-type.ts';
import type { Registry } from '../registry.ts';
import type { VersionState } from '../states.ts';
import { draftExpired, versionImmutable, versionNotFound } from './draft-errors.ts';

/** A version as far as changing it needs to know. */
export interface DraftRow {
  readonly versionId: VersionId;
  readonly packageId: string;
  readonly repo: string;
  readonly coordinate: Coordinate;
  readonly state: VersionState;
  /** Null while it is a draft. */
  readonly digest: string | null;
  readonly run: RunId | null;
  readonly expiresAt: Micros | null;
}

const packageOf: PreparedSql = {
  sqlite: 'SELECT package FROM version WHERE id = ? AND repo = ?',
  postgres: 'SELECT package FROM version WHERE id = $1 AND repo = $2',
};
const packageRow = z.object({ package: z.string() });

/**
 * Runs `change` on a draft while its package is locked: nobody publishes, changes or removes it meanwhile.
 * @throws WaybillError `version_not_found`, `version_immutable`, `draft_expired`, or what `change` throws
 */
export function changeDraft<T>(
  registry: Registry,
  wanted: { readonly repo: string; readonly versionId: string },
  change: (tx: LockedTx, draft: DraftRow) => Promise<T>,
): Promise<T> {
  return withVersion(registry, wanted, async (tx, row) => {
    if (isExpired(row, registry.clock.now())) throw draftExpired(row.versionId, row.expiresAt ?? 0);
    return await change(tx, row);
  });
}

/** The same, also when the draft has expired. @throws WaybillError `version_not_found`, `version_immutable` */
export async function withVersion<T>(
  { store }: Pick<Registry, 'store'>,
  { repo, versionId }: { readonly repo: string; readonly versionId: string },
  change: (tx: LockedTx, draft: DraftRow) => Promise<T>,
): Promise<T> {
  if (!isId('version', versionId)) throw versionNotFound(repo, versionId);
  const [found] = await store.select(packageOf, [versionId, repo]);
  if (found === undefined) throw versionNotFound(repo, versionId);
  const id = packageRow.parse(found).package;
  try {
    return await store.locked({ table: 'package', key: { id } }, async (tx) => {
      const row = await readVersion(tx, repo, versionId);
      // It went while this waited for the lock.
      if (row === undefined) throw versionNotFound(repo, versionId);
      if (row.state !== 'draft') throw versionImmutable(row);
      return await change(tx, row);
    });
  } catch (error) {
    if (error instanceof WaybillError && error.code === 'store_row_missing') throw versionNotFound(repo, versionId);
    throw error;
  }
}

export function isExpired({ expiresAt }: Pick<DraftRow, 'expiresAt'>, now: Micros): boolean {
  return expiresAt !== null && expiresAt <= now;
}

/** A version of this repo in any state; undefined when there is none. */
export async function readVersion(
  { db }: Pick<ReadTx, 'db'>,
  repo: string,
  versionId: VersionId,
): Promise<DraftRow | undefined> {
  const row = await db
    .selectFrom('version')
    .innerJoin('package', 'package.id', 'version.package')
    .select([
      'version.package as packageId',
      'version.version',
      'version.state',
      'version.digest',
      'version.run',
      'version.expires_at as expiresAt',
      'package.type',
      'package.name',
    ])
    .where('version.id', '=', versionId)
    .where('version.repo', '=', repo)
    .executeTakeFirst();
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
