import { commit } from '../../../platform/journal/commit.ts';
import { changeDraft } from '../drafts/change-draft.ts';
import { invalidDraft } from '../drafts/draft-errors.ts';
import { recordingRefusal } from '../recording-refusal.ts';
import type { Registry } from '../registry.ts';
import { assertChecksums } from './assert-checksums.ts';
import { entriesRecord } from './entries-record.ts';
import { entryProblems, type NewEntry } from './new-entry.ts';
import { planEntries } from './write-entries.ts';

export interface EntriesAnswer {
  readonly added: number;
  readonly replaced: number;
  /** Of those that were given, how many were there before. */
  readonly unchanged: number;
  /** How many the draft has now. */
  readonly count: number;
}

/**
 * Gives a draft entries, all of them or none. A path that is there gets the new digest; one that is there with this
 * digest stays as it is.
 * @throws WaybillError `invalid_input`, `blob_not_found`, `size_mismatch`, `digest_mismatch` with every problem at its place (`entries[3].path`),
 * `version_not_found`, `version_immutable`, `draft_expired`
 */
export async function addEntries(
  registry: Registry,
  request: { readonly repo: string; readonly versionId: string; readonly entries: readonly NewEntry[] },
  by: string,
): Promise<EntriesAnswer> {
  const { repo, versionId, entries } = request;
  const problems = entryProblems(entries);
  if (problems.length > 0) throw invalidDraft(problems);
  const action = 'package.version.entries.changed' as const;
  return recordingRefusal(registry, { action, resource: versionId, by, details: { repo } }, async () => {
    await assertChecksums(registry, repo, entries);
    return await changeDraft(registry, request, async (tx, draft) => {
      const { added, replaced, count, write } = await planEntries(tx, { ...draft, isNew: false }, entries);
      if (added + replaced > 0) {
        const record = entriesRecord(draft, { added, replaced, removed: 0, count }, registry.clock.now(), by);
        await commit(tx, { change: write, audit: [record] });
      }
      return { added, replaced, unchanged: entries.length - added - replaced, count };
    });
  });
}
