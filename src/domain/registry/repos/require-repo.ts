import { WaybillError } from '../../../contract/errors.ts';
import { isId, type RepoKey } from '../../../contract/ids.ts';
import type { ReadTx } from '../../../platform/store/store.ts';
import type { Registry } from '../registry.ts';

/**
 * The key of a repo that exists, inside of a transaction.
 * @throws WaybillError `repo_not_found`, also for what cannot be a key
 */
export async function requireRepo(tx: Pick<ReadTx, 'db'>, key: string): Promise<RepoKey> {
  if (!isId('repo', key)) throw repoNotFound(key);
  const row = await tx.db.selectFrom('repo').select('key').where('key', '=', key).executeTakeFirst();
  if (row === undefined) throw repoNotFound(key);
  return key;
}

/** The same in a transaction of its own. @throws WaybillError `repo_not_found` */
export function findRepo({ store }: Pick<Registry, 'store'>, key: string): Promise<RepoKey> {
  return store.read((tx) => requireRepo(tx, key));
}

export function repoNotFound(key: string): WaybillError {
  return new WaybillError('repo_not_found', `there is no repo ${JSON.stringify(key.slice(0, 80))}`, {
    hint: 'List the repos with `waybill repos`, or make it with `waybill repos make`.',
  });
}
