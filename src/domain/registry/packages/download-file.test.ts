import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { digestOf } from '../../../platform/digests/digest.ts';
import { publishVersion } from '../publish/publish-version.ts';
import { arrangeDraft } from '../testing/arrange-draft.ts';
import { openTestRegistry } from '../testing/open-test-registry.ts';
import { tombstoneVersion } from '../tombstone/tombstone-version.ts';
import { downloadFile } from './download-file.ts';
import { parseCoordinate } from './parse-coordinate.ts';

test('G8 a file of a version is written to disk as it was published, or not at all', async () => {
  await using opened = await openTestRegistry({});
  const { registry, world } = opened;
  const folder = await mkdtemp(join(tmpdir(), 'waybill-download-'));
  try {
    const text = `${'line of text\n'.repeat(200_000)}end`;
    const draft = await arrangeDraft(registry, { files: { 'bin/tool': text, 'bad.txt': 'as it was published' } });
    await publishVersion(registry, draft, 'me');
    const file = join(folder, 'tool');
    const download = (path: string, written = 'tool@1.0.0') =>
      downloadFile(registry, { repo: 'local', written: parseCoordinate(written), path, file });
    expect(await download('bin/tool', 'tool')).toMatchObject({
      coordinate: { type: 'generic', name: 'tool', version: '1.0.0' },
      digest: digestOf(text),
      size: text.length,
    });
    expect(await readFile(file, 'utf8')).toBe(text);

    const hex = digestOf('as it was published').slice('sha256:'.length);
    const [stored] = (await readdir(join(world.data, 'blobs'), { recursive: true })).filter((each) =>
      each.replaceAll('/', '').endsWith(hex),
    );
    await writeFile(join(world.data, 'blobs', stored ?? ''), 'as it was changed!!');
    await expect(download('bad.txt')).rejects.toMatchObject({ code: 'blob_corrupt' });
    await expect(download('none')).rejects.toMatchObject({ code: 'entry_not_found' });
    await expect(download('bin/tool', 'tool@2.0.0')).rejects.toMatchObject({ code: 'version_not_found' });
    await tombstoneVersion(registry, { ...draft, reason: 'x' }, 'me');
    await expect(download('bin/tool')).rejects.toMatchObject({ code: 'version_tombstoned' });
    expect(await readFile(file, 'utf8')).toBe(text);
    expect(await readdir(folder)).toEqual(['tool']);
  } finally {
    await rm(folder, { recursive: true });
  }
});
