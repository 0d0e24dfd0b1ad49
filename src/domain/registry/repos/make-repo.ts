import { WaybillError } from '../../../contract/errors.ts';
import { parseId } from '../../../contract/ids.ts';
import { makeWellFormed } from '../../../platform/files/make-well-formed.ts';
import { commit } from '../../../platform/journal/commit.ts';
import { redactText } from '../../../platform/redaction/redactor.ts';
import { recordingRefusal } from '../recording-refusal.ts';
import type { Registry } from '../registry.ts';
import { describeRepo, type RepoDescription } from './show-repo.ts';

/**
 * Makes a repo. Nobody may read it but who was granted it, and who may read everything.
 * @throws WaybillError `invalid_id`, `repo_exists`
 */
export function makeRepo(
  registry: Registry,
  request: { readonly key: string; readonly description: string },
  by: string,
): Promise<RepoDescription> {
  const { store, clock } = registry;
  const key = parseId('repo', request.key);
  const description = makeWellFormed(redactText(request.description).text).value;
  return recordingRefusal(registry, { action: 'repo.made', resource: key, by }, () =>
    store.write(async (tx) => {
      const found = await tx.db.selectFrom('repo').select('key').where('key', '=', key).executeTakeFirst();
      if (found !== undefined) throw repoExists(key);
      const at = clock.now();
      await commit(tx, {
        change: async () => {
          const row = { key, description, created_at: at, created_by: by };
          // Somebody who makes it at the same moment is not seen by the look above, on PostgreSQL.
          const written = await tx.db
            .insertInto('repo')
            .values(row)
            .onConflict((conflict) => conflict.doNothing())
            .returning('key')
            .executeTakeFirst();
          if (written === undefined) throw repoExists(key);
        },
        audit: [{ at, actor: by, action: 'repo.made', resource: key, outcome: 'succeeded' }],
      });
      return await describeRepo(tx, key);
    }),
  );
}

function repoExists(key: string): WaybillError {
  return new WaybillError('repo_exists', `there is a repo ${key} already`, {
    hint: `Use it with --repo ${key}, or choose another key.`,
  });
}
