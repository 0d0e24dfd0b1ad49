import { WaybillError } from '../../../contract/errors.ts';
import { commit } from '../../../platform/journal/commit.ts';
import { changeDraft } from '../drafts/change-draft.ts';
import { recordingRefusal } from '../recording-refusal.ts';
import type { Registry } from '../registry.ts';
import { entriesRecord } from './entries-record.ts';

/**
 * Takes one entry out of a draft.
 * @throws WaybillError `entry_not_found`, `version_not_found`, `version_immutable`, `draft_expired`
 */
export async function removeEntry(
  registry: Registry,
  request: { readonly repo: string; readonly versionId: string; readonly path: string },
  by: string,
): Promise<{ readonly count: number }> {
  const { repo, versionId, path } = request;
  const action = 'package.version.entries.changed' as const;
  return recordingRefusal(registry, { action, resource: versionId, by, details: { repo } }, () =>
    changeDraft(registry, request, async (tx, draft) => {
      const { paths, same } = await tx.db
        .selectFrom('version_entry')
        .select(({ fn, eb }) => [
          fn.countAll().as('paths'),
          fn.sum(eb.case().when('path', '=', path).then(1).else(0).end()).as('same'),
        ])
        .where('version', '=', draft.versionId)
        .executeTakeFirstOrThrow();
      if (Number(same ?? 0) === 0) throw entryNotFound(draft.versionId, path);
      const count = Number(paths) - 1;
      const counts = { added: 0, replaced: 0, removed: 1, count };
      await commit(tx, {
        change: async () => {
          const entry = tx.db.deleteFrom('version_entry').where('version', '=', draft.versionId);
          await entry.where('path', '=', path).execute();
        },
        audit: [entriesRecord(draft, counts, registry.clock.now(), by)],
      });
      return { count };
    }),
  );
}

function entryNotFound(versionId: string, path: string): WaybillError {
  return new WaybillError('entry_not_found', `${versionId} has no entry ${JSON.stringify(path.slice(0, 200))}`, {
    hint: 'Paths are told apart by case; in an address each slash of one is written %2F.',
    details: { versionId },
  });
}
