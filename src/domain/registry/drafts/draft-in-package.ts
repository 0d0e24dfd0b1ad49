import { WaybillError } from '../../../contract/errors.ts';
import { parseId, type RunId, type VersionId } from '../../../contract/ids.ts';
import type { Micros } from '../../../platform/clock/clock.ts';
import { makeId } from '../../../platform/ids/make-id.ts';
import type { AuditRecord } from '../../../platform/journal/audit.ts';
import { commit } from '../../../platform/journal/commit.ts';
import type { LockedTx, WriteTx } from '../../../platform/store/store.ts';
import { entriesRecord } from '../entries/entries-record.ts';
import type { NewEntry } from '../entries/new-entry.ts';
import { planEntries } from '../entries/write-entries.ts';
import type { Coordinate } from '../package-types/package-type.ts';
import { formatCoordinate } from '../packages/parse-coordinate.ts';
import type { Registry } from '../registry.ts';
import type { VersionRow } from '../version-row.ts';
import { isExpired } from './change-draft.ts';
import { draftOfAnotherRun, versionExists } from './draft-errors.ts';
import { removeDraftRows } from './remove-draft.ts';
import { expiryRecord } from './remove-expired-drafts.ts';

export interface NewDraft extends Coordinate {
  readonly repo: string;
  /** The run it is made by. */
  readonly run?: RunId | null | undefined;
  /** What it holds from the first moment on; given to a draft that is there as `addEntries` gives them. */
  readonly entries?: readonly NewEntry[] | undefined;
}

export interface MadeDraft {
  readonly versionId: VersionId;
  readonly packageId: string;
  /** It was there already, and is what was asked for. */
  readonly reusedDraft: boolean;
  readonly expiresAt: Micros | null;
  /** Entries that were added or replaced. */
  readonly changed: number;
}

const dayMicros = 86_400_000_000;

/** Makes the draft, or finds it, while its package is locked. */
export async function draftInPackage(
  registry: Registry,
  tx: LockedTx,
  wanted: NewDraft,
  by: string,
): Promise<MadeDraft> {
  const { packageId, version } = await findVersion(tx, wanted);
  if (version === undefined) return await makeDraft(registry, tx, wanted, { packageId, before: [] }, by);
  if (version.state !== 'draft') throw versionExists(version.coordinate, version);
  const now = registry.clock.now();
  if (!isExpired(version, now)) return await reuseDraft(registry, tx, wanted, version, by);
  await removeDraftRows(tx, version);
  const before = [expiryRecord(version, now, by)];
  return await makeDraft(registry, tx, wanted, { packageId, before }, by);
}

/** One query for the package, which is there, and the version of this coordinate, which may be. */
async function findVersion({ db }: LockedTx, { repo, type, name, version }: NewDraft) {
  const row = await db
    .selectFrom('package')
    .leftJoin('version', (join) => join.onRef('version.package', '=', 'package.id').on('version.version', '=', version))
    .select([
      'package.id as packageId',
      'version.id',
      'version.state',
      'version.digest',
      'version.run',
      'version.expires_at as expiresAt',
      'version.published_at as publishedAt',
      'version.published_by as publishedBy',
      'package.events',
    ])
    .where('package.repo', '=', repo)
    .where('package.type', '=', type)
    .where('package.name', '=', name)
    .executeTakeFirstOrThrow();
  const { id, state, run, ...rest } = row;
  const { packageId } = rest;
  if (id === null || state === null) return { packageId, version: undefined };
  const found: VersionRow = {
    ...rest,
    versionId: parseId('version', id),
    repo,
    coordinate: { type, name, version },
    state,
    run: run === null ? null : parseId('run', run),
  };
  return { packageId, version: found };
}

/** @param before audit records of what had to go before */
export async function makeDraft(
  registry: Registry,
  tx: LockedTx | WriteTx,
  wanted: NewDraft,
  { packageId, before }: { readonly packageId: string; readonly before: readonly AuditRecord[] },
  by: string,
): Promise<MadeDraft> {
  const { repo, type, name, version, run = null, entries = [] } = wanted;
  const coordinate = { type, name, version };
  if (run !== null) await assertRun(tx, run);
  const versionId = makeId('version');
  const now = registry.clock.now();
  const expiresAt = now + registry.settings.draftDays * dayMicros;
  const plan = entries.length === 0 ? undefined : await planEntries(tx, { repo, versionId, isNew: true }, entries);
  const audit: AuditRecord[] = [
    ...before,
    {
      at: now,
      actor: by,
      action: 'package.version.draft.created',
      resource: versionId,
      outcome: 'succeeded',
      details: { repo, coordinate: formatCoordinate(coordinate), run },
    },
  ];
  const added = plan?.added ?? 0;
  if (added > 0) {
    const counts = { added, replaced: 0, removed: 0, count: added };
    audit.push(entriesRecord({ versionId, repo, coordinate }, counts, now, by));
  }
  await commit(tx, {
    change: async () => {
      const made = { created_at: now, created_by: by, expires_at: expiresAt };
      const row = { id: versionId, package: packageId, repo, version, state: 'draft' as const, run, ...made };
      await tx.db.insertInto('version').values(row).execute();
      await plan?.write();
    },
    audit,
  });
  return { versionId, packageId, reusedDraft: false, expiresAt, changed: added };
}

async function reuseDraft(
  registry: Registry,
  tx: LockedTx,
  { run = null, entries = [] }: NewDraft,
  draft: VersionRow,
  by: string,
): Promise<MadeDraft> {
  const { versionId, packageId, repo, coordinate, expiresAt } = draft;
  if (run !== null && run !== draft.run) throw draftOfAnotherRun(versionId, draft.run, run);
  const plan = entries.length === 0 ? undefined : await planEntries(tx, { repo, versionId, isNew: false }, entries);
  const now = registry.clock.now();
  const audit: AuditRecord[] = [
    {
      at: now,
      actor: by,
      action: 'package.version.draft.reused',
      resource: versionId,
      outcome: 'succeeded',
      details: { repo, coordinate: formatCoordinate(coordinate) },
    },
  ];
  const changed = plan === undefined ? 0 : plan.added + plan.replaced;
  if (plan !== undefined && changed > 0) {
    audit.push(entriesRecord(draft, { ...plan, removed: 0 }, now, by));
  }
  await commit(tx, {
    change: async () => {
      if (changed > 0) await plan?.write();
    },
    audit,
  });
  return { versionId, packageId, reusedDraft: true, expiresAt, changed };
}

async function assertRun({ db }: LockedTx | WriteTx, run: RunId): Promise<void> {
  const row = await db.selectFrom('run').select('id').where('id', '=', run).executeTakeFirst();
  if (row !== undefined) return;
  throw new WaybillError('run_not_found', `there is no run ${run}`, {
    hint: 'A version can name only a run of this store: leave `run` out, or import it first.',
  });
}
