import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { bothStores, dropDatabases } from '../../../../test/support/both-stores.ts';
import { openReleaseWorld, publishRequest } from '../../../../test/support/release-world.ts';
import { releaseStatementSchema } from '../../../contract/attestation.ts';
import { releaseBundleSchema } from '../../../contract/release-bundle.ts';
import { createCommitPort } from '../../../executors/commits/commit-port.ts';
import { getAttestation } from '../attestation/get-attestation.ts';
import { publishVersion } from '../publish/publish-version.ts';
import { exportRelease } from '../release/export-release.ts';
import { publishRun } from '../release/publish-run.ts';
import { arrangeDraft } from '../testing/arrange-draft.ts';
import { releaseLinks } from './release-link.ts';
import { verifyReleaseBundle } from './verify-release-bundle.ts';
import { verifyVersion } from './verify-version.ts';

const folders: string[] = [];
afterAll(async () => {
  await dropDatabases();
  await Promise.all(folders.map((folder) => rm(folder, { recursive: true })));
});

const coordinate = { type: 'waybill-run', name: 'my-tool', version: '1.2.0' };
const elsewhere = { given: null, pinned: null, commits: createCommitPort(), root: null, guessed: false };

describe.each(bothStores)('a release bundle from %s', (_engine, open) => {
  test('G25 verifies on a machine without a workspace, down to the snapshot, and with a clone down to the commit', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'waybill-release-'));
    folders.push(folder);
    const out = join(folder, 'release.json');
    await using world = await openReleaseWorld(await open());
    const { releases } = world;
    const made = await publishRun(releases, publishRequest(await world.build()), 'me');
    await exportRelease(releases, { repo: 'local', coordinate, out });
    expect(releaseBundleSchema.parse(JSON.parse(await readFile(out, 'utf8'))).version.digest).toBe(made.digest);

    const found = await verifyReleaseBundle(out, elsewhere);
    expect(found).toMatchObject({ intact: true, authentic: 'not_checked', coordinate: 'waybill-run:my-tool@1.2.0' });
    expect(found.links.map(({ state }) => state)).toEqual([...Array(6).fill('intact'), 'not_checked']);
    const given = await releases.signing.pinned();
    const clone = await verifyReleaseBundle(out, { ...elsewhere, given, root: world.root });
    expect(clone).toMatchObject({ intact: true, authentic: 'signed' });
    expect(clone.links.map(({ link, state }) => [link, state])).toEqual(releaseLinks.map((link) => [link, 'intact']));
  });
});

test('G24 G25 a run that shares receipts of another is released with them, and verifies here and as a bundle', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-release-'));
  folders.push(folder);
  const out = join(folder, 'release.json');
  await using world = await openReleaseWorld({});
  const { releases } = world;
  const origin = await world.build();
  const run = await world.fork(origin);
  expect(run).not.toBe(origin);
  const { versionId } = await publishRun(releases, publishRequest(run), 'me');
  const { envelope } = await getAttestation(releases.registry, 'local', versionId);
  const said = releaseStatementSchema.parse(JSON.parse(Buffer.from(envelope.payload, 'base64').toString('utf8')));
  const receipts = said.predicate.runDetails.byproducts.slice(1);
  expect(receipts).toMatchObject([
    { annotations: { run: origin, number: 1, step: 'prepare' } },
    { annotations: { run, number: 1 } },
  ]);
  expect(await verifyVersion(releases, { repo: 'local', coordinate, key: null, checkout: null })).toMatchObject({
    intact: true,
    authentic: 'signed',
    checked: { receipts: 2 },
  });
  await exportRelease(releases, { repo: 'local', coordinate, out });
  expect(await verifyReleaseBundle(out, elsewhere)).toMatchObject({ intact: true });
});

test('G25 a version published by hand verifies as far as its own content, here and as a bundle', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-release-'));
  folders.push(folder);
  const out = join(folder, 'release.json');
  await using world = await openReleaseWorld({});
  const { releases } = world;
  const { registry } = releases;
  const draft = await arrangeDraft(registry, { name: 'by-hand', version: '1.0.0' });
  await publishVersion(registry, draft, 'me');
  const byHand = { type: 'generic', name: 'by-hand', version: '1.0.0' };
  const here = await verifyVersion(releases, { repo: 'local', coordinate: byHand, key: null, checkout: null });
  expect(here).toMatchObject({ intact: true, authentic: 'unsigned', runId: null });
  expect(here.links.map(({ state }) => state)).toEqual(['intact', ...Array(6).fill('not_checked')]);
  await exportRelease(releases, { repo: 'local', coordinate: byHand, out });
  expect(await verifyReleaseBundle(out, elsewhere)).toMatchObject({
    intact: true,
    authentic: 'unsigned',
    checked: { files: 1 },
  });
});

test('G25 one changed byte anywhere in a release bundle is found, and a link is named', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-release-'));
  folders.push(folder);
  const out = join(folder, 'release.json');
  await using world = await openReleaseWorld({});
  await publishRun(world.releases, publishRequest(await world.build()), 'me');
  await exportRelease(world.releases, { repo: 'local', coordinate, out });
  const whole = await readFile(out);
  expect(await verifyReleaseBundle(out, elsewhere)).toMatchObject({ intact: true });
  const named: Record<string, number> = {};
  // A prime step visits every part of the file, and no period of its lines.
  const step = 17;
  let tried = 0;
  for (let at = 0; at < whole.length; at += step) {
    const bytes = Buffer.from(whole);
    bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << (tried % 7)), at);
    await writeFile(out, bytes);
    const { intact, firstBroken } = await verifyReleaseBundle(out, elsewhere);
    expect(intact, `byte ${at}: ${whole.toString('utf8', Math.max(0, at - 40), at + 40)}`).toBe(false);
    const link = firstBroken?.link ?? 'none';
    named[link] = (named[link] ?? 0) + 1;
    tried += 1;
  }
  expect(Object.keys(named).sort()).toEqual(['attestation', 'ledger', 'package', 'receipts', 'run', 'snapshot']);
  expect(tried).toBeGreaterThan(500);
  console.info(`G25 ${tried} changed bytes of ${whole.length}, each found:`, named);
  // Half a surrogate pair is JSON, and text of nothing: neither a name nor a value of it is ever exported.
  const text = whole.toString('utf8');
  for (const half of [
    text.replace('"my-tool"', '"my-\\ud800tool"'),
    text.replace('"entries":', '"x\\udfff":1,"entries":'),
  ]) {
    expect(half).not.toBe(text);
    await writeFile(out, half);
    expect(await verifyReleaseBundle(out, elsewhere)).toMatchObject({
      intact: false,
      firstBroken: { link: 'package' },
    });
  }
  for (const length of [0, 1, whole.length >> 1, whole.length - 1]) {
    await writeFile(out, whole.subarray(0, length));
    expect(await verifyReleaseBundle(out, elsewhere)).toMatchObject({ intact: false });
  }
}, 120_000);
