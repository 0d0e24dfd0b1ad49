import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createFolderBlobs } from '../../../platform/blobs/folder-blobs.ts';
import { digestOf } from '../../../platform/digests/digest.ts';
import { checkClaims } from './check-artifacts.ts';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'waybill-artifacts-'));
  await mkdir(join(root, '.waybill'));
  await writeFile(join(root, '.waybill', 'waybill.db'), 'ours');
  await writeFile(join(root, 'good.txt'), 'good');
  await symlink('.waybill/waybill.db', join(root, 'link.txt'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

test.each(['.waybill/waybill.db', './.waybill//waybill.db', 'link.txt'])(
  'R10 %s is no artifact: the store of the workspace is never opened as a file',
  async (path) => {
    const blobs = createFolderBlobs(join(root, 'blobs'));
    const opened: string[] = [];
    const watched = {
      ...blobs,
      putFile: (file: string) => {
        opened.push(file);
        return blobs.putFile(file);
      },
    };
    const claim = { path, size: 4, digest: digestOf('ours') };
    await expect(checkClaims([claim], [], root, watched)).rejects.toMatchObject({ code: 'artifact_outside' });
    expect(opened).toEqual([]);
    const good = { path: 'good.txt', size: 4, digest: digestOf('good') };
    expect(await checkClaims([good], [], root, watched)).toEqual([good]);
    expect(opened).toHaveLength(1);
  },
);
