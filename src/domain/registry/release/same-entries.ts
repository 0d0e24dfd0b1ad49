import type { VersionId } from '../../../contract/ids.ts';
import { addEntries } from '../entries/add-entries.ts';
import { removeEntry } from '../entries/remove-entry.ts';
import type { Entry } from '../package-types/package-type.ts';
import { readEntries } from '../publish/read-content.ts';
import type { Registry } from '../registry.ts';

/** Takes from a draft that an earlier attempt made what does not belong to this one, and gives it what it lacks. */
export async function sameEntries(
  registry: Registry,
  {
    repo,
    versionId,
    entries,
  }: { readonly repo: string; readonly versionId: VersionId; readonly entries: readonly Entry[] },
  by: string,
): Promise<void> {
  const wanted = new Map(entries.map((entry) => [entry.path, entry]));
  const there = await registry.store.read((tx) => readEntries(tx, repo, versionId));
  const others = there.filter(({ path, digest, mediaType }) => {
    const entry = wanted.get(path);
    return entry?.digest !== digest || entry.mediaType !== mediaType;
  });
  for (const { path } of others) await removeEntry(registry, { repo, versionId, path }, by);
  await addEntries(registry, { repo, versionId, entries }, by);
}
