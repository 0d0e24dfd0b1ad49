import { WaybillError } from '../../../contract/errors.ts';
import type { RepoKey } from '../../../contract/ids.ts';
import type { Micros } from '../../../platform/clock/clock.ts';
import type { AuditRecord } from '../../../platform/journal/audit.ts';
import { commit } from '../../../platform/journal/commit.ts';
import type { LockedTx, ReadTx } from '../../../platform/store/store.ts';
import { recordingRefusal } from '../recording-refusal.ts';
import type { Registry } from '../registry.ts';
import { repoNotFound, requireRepo } from './require-repo.ts';
import { countVersions, describeRepo, type RepoDescription } from './show-repo.ts';

/** The repo that every command uses unless told another. */
const localRepo = 'local';

/**
 * Deletes a repo that holds no version, with its uploads, its blobs' rows, its empty packages and its rules, in one
 * transaction. What its tokens were granted stays with them: a repo made later under the same key is open to them.
 * @returns what it was
 * @throws WaybillError `repo_not_found`, `repo_not_empty` with how many versions there are, `invalid_argument` for `local`
 */
export async function deleteRepo(
  registry: Registry,
  request: { readonly key: string },
  by: string,
): Promise<RepoDescription> {
  const { store, clock } = registry;
  return await recordingRefusal(registry, { action: 'repo.deleted', resource: request.key, by }, async () => {
    if (request.key === localRepo) {
      throw new WaybillError('invalid_argument', 'the repo local is not deleted: every command uses it', {
        hint: 'Tombstone what is in it, and let `waybill gc` take the bytes.',
      });
    }
    // Most often refused: said before any lock, which publishes of the repo would have to wait for.
    const key = await store.read(async (tx) => {
      const found = await requireRepo(tx, request.key);
      await assertEmpty(tx, found);
      return found;
    });
    try {
      return await store.locked({ table: 'repo', key: { key } }, (tx) =>
        deleteLocked(tx, key, { at: clock.now(), by, engine: store.engine }),
      );
    } catch (error) {
      if (error instanceof WaybillError && error.code === 'store_row_missing') throw repoNotFound(key);
      throw error;
    }
  });
}

async function deleteLocked(
  tx: LockedTx,
  key: RepoKey,
  { at, by, engine }: { readonly at: Micros; readonly by: string; readonly engine: 'sqlite' | 'postgres' },
): Promise<RepoDescription> {
  const { db } = tx;
  // A draft that is being made holds its package, not the repo: it is waited for, and then counted.
  const packages = db.selectFrom('package').select('id').where('repo', '=', key);
  await (engine === 'postgres' ? packages.forUpdate() : packages).execute();
  await assertEmpty(tx, key);
  const was = await describeRepo(tx, key);
  const rules = await db
    .selectFrom('policy_rule')
    .select('id')
    .where('repo', '=', key)
    .where('removed_at', 'is', null)
    .orderBy('id')
    .execute();
  const { packages: empty, blobs } = was;
  const details = { packages: empty, blobs: blobs.count, rules: rules.length };
  await commit(tx, {
    change: async () => {
      await db.deleteFrom('repo_blob').where('repo', '=', key).execute();
      await db.deleteFrom('package').where('repo', '=', key).execute();
      // A repo made later under this key begins without rules.
      await db
        .updateTable('policy_rule')
        .set({ removed_at: at, removed_by: by })
        .where('repo', '=', key)
        .where('removed_at', 'is', null)
        .execute();
      await db.deleteFrom('repo').where('key', '=', key).execute();
    },
    audit: [
      { at, actor: by, action: 'repo.deleted', resource: key, outcome: 'succeeded', details },
      ...rules.map(
        ({ id }): AuditRecord => ({
          at,
          actor: by,
          action: 'policy.rule.removed',
          resource: id,
          outcome: 'succeeded',
          details: { repo: key },
        }),
      ),
    ],
  });
  return was;
}

/** @throws WaybillError `repo_not_empty` */
async function assertEmpty(tx: Pick<ReadTx, 'db'>, key: RepoKey): Promise<void> {
  const { draft, published, tombstoned } = await countVersions(tx, key);
  const versions = draft + published + tombstoned;
  if (versions === 0) return;
  throw new WaybillError(
    'repo_not_empty',
    `the repo ${key} holds ${versions} ${versions === 1 ? 'version' : 'versions'}`,
    {
      hint: 'Drafts can be deleted; what was published, tombstoned or not, stays on record for ever.',
      details: { repo: key, versions, draft, published, tombstoned },
    },
  );
}
