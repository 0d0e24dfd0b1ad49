import type { RunId, VersionId } from '../../../contract/ids.ts';
import { digestOf } from '../../../platform/digests/digest.ts';
import { makeId } from '../../../platform/ids/make-id.ts';
import type { Registry } from '../registry.ts';

export interface ArrangedDraft {
  readonly repo: string;
  readonly packageId: string;
  readonly versionId: VersionId;
}

/** A draft ready to be published, written row by row: tests of the publish need no other part of the registry. */
export async function arrangeDraft(
  registry: Registry,
  wanted: {
    readonly name?: string;
    readonly version?: string;
    readonly files?: Readonly<Record<string, string>>;
    readonly run?: RunId;
    readonly manifest?: string;
    readonly packageId?: string;
  } = {},
): Promise<ArrangedDraft> {
  const { name = 'tool', version = '1.0.0', files = { 'bin/tool': '#!/bin/sh\n' }, run, manifest = '{}' } = wanted;
  const at = registry.clock.now();
  const made = { created_at: at, created_by: 'test' };
  const packageId = wanted.packageId ?? makeId('package');
  const versionId = makeId('version');
  const entries = Object.entries(files).map(([path, text]) => ({ path, size: Buffer.byteLength(text), text }));
  const blobs = new Map<string, number>();
  for (const { text, size } of entries) blobs.set(await registry.blobs.put(Buffer.from(text)), size);
  await registry.store.write(async ({ db }) => {
    for (const [digest, size] of blobs) {
      const held = await db.selectFrom('repo_blob').select('digest').where('digest', '=', digest).executeTakeFirst();
      if (held !== undefined) continue;
      await db
        .insertInto('repo_blob')
        .values({ repo: 'local', digest, size, added_at: at, added_by: 'test' })
        .execute();
    }
    if (wanted.packageId === undefined) {
      const row = { id: packageId, repo: 'local', type: 'generic', name, events: 0, ...made };
      await db.insertInto('package').values(row).execute();
    }
    await db
      .insertInto('version')
      .values({ id: versionId, package: packageId, repo: 'local', version, state: 'draft', run: run ?? null, ...made })
      .execute();
    for (const { path, size, text } of entries) {
      const digest = digestOf(text);
      await db.insertInto('version_entry').values({ version: versionId, path, folded: path, digest, size }).execute();
    }
    const body = Buffer.from(manifest);
    await db
      .insertInto('version_manifest')
      .values({ version: versionId, media_type: 'application/json', body, digest: digestOf(body), size: body.length })
      .execute();
  });
  return { repo: 'local', packageId, versionId };
}
