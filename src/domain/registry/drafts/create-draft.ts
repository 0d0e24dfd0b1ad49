import { WaybillError } from '../../../contract/errors.ts';
import { makeId } from '../../../platform/ids/make-id.ts';
import { assertChecksums } from '../entries/assert-checksums.ts';
import { entryProblems } from '../entries/new-entry.ts';
import { formatCoordinate } from '../packages/parse-coordinate.ts';
import { recordingRefusal } from '../recording-refusal.ts';
import type { Registry } from '../registry.ts';
import { requireRepo } from '../repos/require-repo.ts';
import { coordinateProblems } from './coordinate-problems.ts';
import { invalidDraft } from './draft-errors.ts';
import { draftInPackage, type MadeDraft, makeDraft, type NewDraft } from './draft-in-package.ts';

/** Others may make, or remove, the same package between one look and the next; no third party does so for ever. */
const mostTries = 5;

/**
 * Makes a draft of a coordinate, or finds the one there is; its time begins when it is made, and using it again gives it no
 * more. An expired one makes place for a new one. A package that has no row yet gets one.
 * @throws WaybillError `invalid_input`, `blob_not_found`, `size_mismatch`, `digest_mismatch` with every problem, `repo_not_found`,
 * `run_not_found`, `version_exists` (published or tombstoned), `version_conflict` (a draft made by another run)
 */
export async function createDraft(registry: Registry, wanted: NewDraft, by: string): Promise<MadeDraft> {
  const { repo, entries = [] } = wanted;
  const problems = [...coordinateProblems(registry, wanted), ...entryProblems(entries)];
  if (problems.length > 0) throw invalidDraft(problems);
  const attempt = {
    action: 'package.version.draft.created',
    resource: formatCoordinate(wanted),
    by,
    details: { repo },
  } as const;
  return recordingRefusal(registry, attempt, async () => {
    await assertChecksums(registry, repo, entries);
    for (let tries = 1; ; tries++) {
      try {
        const made = (await inKnownPackage(registry, wanted, by)) ?? (await inNewPackage(registry, wanted, by));
        if (made !== undefined) return made;
        if (tries === mostTries)
          throw new WaybillError('store_busy', 'the package comes and goes', { hint: 'Try again.' });
      } catch (error) {
        if (tries === mostTries || !isPackageClash(error)) throw error;
      }
    }
  });
}

/** Undefined when the package has no row. */
async function inKnownPackage(registry: Registry, wanted: NewDraft, by: string): Promise<MadeDraft | undefined> {
  const { repo, type, name } = wanted;
  try {
    return await registry.store.locked({ table: 'package', key: { repo, type, name } }, (tx) =>
      draftInPackage(registry, tx, wanted, by),
    );
  } catch (error) {
    if (error instanceof WaybillError && error.code === 'store_row_missing') return undefined;
    throw error;
  }
}

/** Undefined when somebody else was first. */
async function inNewPackage(registry: Registry, wanted: NewDraft, by: string): Promise<MadeDraft | undefined> {
  const { repo, type, name } = wanted;
  return await registry.store.write(async (tx) => {
    await requireRepo(tx, repo);
    const there = tx.db.selectFrom('package').select('id').where('repo', '=', repo);
    const row = await there.where('type', '=', type).where('name', '=', name).executeTakeFirst();
    if (row !== undefined) return undefined;
    const packageId = makeId('package');
    const made = { created_at: registry.clock.now(), created_by: by };
    await tx.db
      .insertInto('package')
      .values({ id: packageId, repo, type, name, events: 0, ...made })
      .execute();
    return await makeDraft(registry, tx, wanted, { packageId, before: [] }, by);
  });
}

/** Another transaction made the package between our look and our insert: the unique index, or the guard before it. */
function isPackageClash(error: unknown): boolean {
  return error instanceof WaybillError && (error.code === 'store_constraint' || error.code === 'store_immutable');
}
