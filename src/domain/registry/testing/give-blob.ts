import type { Digest } from '../../../contract/ids.ts';
import type { Registry } from '../registry.ts';

/** Puts bytes into the store and into a repo, as an upload does; what is needed to name them as an entry. */
export async function giveBlob(
  registry: Registry,
  content: string | Uint8Array,
  repo = 'local',
): Promise<{ readonly digest: Digest; readonly size: number }> {
  const bytes = Buffer.from(content);
  const digest = await registry.blobs.put(bytes);
  const size = bytes.length;
  await registry.store.write(async ({ db }) => {
    const held = db.selectFrom('repo_blob').select('digest').where('repo', '=', repo).where('digest', '=', digest);
    if ((await held.executeTakeFirst()) !== undefined) return;
    const added = { added_at: registry.clock.now(), added_by: 'test' };
    await db
      .insertInto('repo_blob')
      .values({ repo, digest, size, ...added })
      .execute();
  });
  return { digest, size };
}
