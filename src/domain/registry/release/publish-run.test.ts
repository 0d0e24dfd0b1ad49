import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { bothStores, dropDatabases } from '../../../../test/support/both-stores.ts';
import { builtFiles, openReleaseWorld, publishRequest } from '../../../../test/support/release-world.ts';
import { parseId } from '../../../contract/ids.ts';
import { releaseManifestSchema } from '../../../contract/release-manifest.ts';
import { digestOf, hexOf } from '../../../platform/digests/digest.ts';
import { getManifest } from '../manifests/get-manifest.ts';
import { publishRun } from './publish-run.ts';

afterAll(dropDatabases);

describe.each(bothStores)('publishing a run on %s', (_engine, open) => {
  test('G23 a succeeded run becomes a version: draft, entries, manifest, attestation, published; again changes nothing', async () => {
    await using world = await openReleaseWorld(await open());
    const { releases } = world;
    const { registry } = releases;
    const run = await world.build();
    const stages: string[] = [];
    const made = await publishRun(releases, publishRequest(run), 'me', (stage) => stages.push(stage));
    expect(made).toMatchObject({
      state: 'published',
      run,
      idempotent: false,
      gates: [],
      files: [
        { path: 'dist/lib/deep.js' },
        { path: 'dist/tool.js', digest: digestOf(builtFiles['dist/tool.js'] ?? '') },
      ],
    });
    expect(stages).toEqual(['checking the run', 'attaching files', 'signing', 'publishing']);
    const manifest = await getManifest(registry, { repo: 'local', versionId: made.versionId });
    const said = releaseManifestSchema.parse(JSON.parse(Buffer.from(manifest.body).toString('utf8')));
    expect(said).toMatchObject({
      run,
      commit: world.git('rev-parse', 'HEAD').trim(),
      dirty: false,
      artifacts: [{ path: 'dist/lib/deep.js' }, { path: 'dist/tool.js' }],
    });
    const key = await releases.signing.pinned();
    expect(made.attestation?.keyId).toBe(key?.keyId);

    const again = await publishRun(releases, publishRequest(run), 'somebody else');
    expect(again).toEqual({ ...made, idempotent: true });
    const outbox = await registry.store.read((tx) => tx.db.selectFrom('outbox').select('type').execute());
    expect(outbox.filter(({ type }) => type === 'dev.waybill.version.published')).toHaveLength(1);
  });

  test('G23 other content for a published coordinate is refused with both digests', async () => {
    await using world = await openReleaseWorld(await open());
    const { releases } = world;
    const first = await publishRun(releases, publishRequest(await world.build()), 'me');
    const other = await world.build({ 'dist/tool.js': 'export const answer = 41;\n' });
    await expect(publishRun(releases, publishRequest(other), 'me')).rejects.toMatchObject({
      code: 'version_conflict',
      details: { actual: first.digest, expected: expect.stringMatching(/^sha256:/) },
    });
  });

  test('G23 globs choose among the files, another choice in a draft that was left replaces the first', async () => {
    await using world = await openReleaseWorld({ ...(await open()), settings: { gates: ['no-such-gate'] } });
    const { releases } = world;
    const { registry } = releases;
    const run = await world.build();
    const request = publishRequest(run, { files: ['dist/lib'] });
    await expect(publishRun(releases, request, 'me')).rejects.toMatchObject({ code: 'gates_not_green' });
    const without = { ...releases, registry: { ...registry, settings: { ...registry.settings, gates: [] } } };
    await expect(publishRun(without, { ...request, files: ['dist/*.ts'] }, 'me')).rejects.toMatchObject({
      code: 'invalid_argument',
    });
    const made = await publishRun(without, { ...request, files: ['dist/*.js'] }, 'me');
    expect(made.files.map(({ path }) => path)).toEqual(['dist/tool.js']);
    expect(made.entries.count).toBe(1);
  });

  test('G19 G23 what cannot be released is refused, on record, before anything is made', async () => {
    await using world = await openReleaseWorld(await open());
    const { releases } = world;
    const { registry } = releases;
    const { process, world: place } = world.opened;
    const versions = () =>
      registry.store.read(async ({ db }) => (await db.selectFrom('version').select('id').execute()).length);
    const failed = await process.runs.start({ workflow: 'broken-build', input: null, actor: 'me' });
    await failed.outcome;
    const request = publishRequest(parseId('run', failed.runId));
    await expect(publishRun(releases, request, 'me')).rejects.toMatchObject({
      code: 'run_not_succeeded',
      details: { state: 'failed' },
    });
    const empty = await world.build({});
    await expect(publishRun(releases, publishRequest(empty), 'me')).rejects.toMatchObject({ code: 'draft_empty' });
    const run = await world.build();
    const digest = hexOf(digestOf(builtFiles['dist/tool.js'] ?? ''));
    await rm(join(place.data, 'blobs', 'sha256', digest.slice(0, 2), digest));
    await expect(publishRun(releases, publishRequest(run), 'me')).rejects.toMatchObject({
      code: 'chain_broken',
    });
    const again = await world.build();
    await rm(join(place.data, 'keys'), { recursive: true });
    await expect(publishRun(releases, publishRequest(again), 'me')).rejects.toMatchObject({
      code: 'signing_key_missing',
      hint: expect.stringContaining('waybill keys init'),
    });
    expect(await versions()).toBe(0);
    const records = await registry.store.read(({ db }) =>
      db
        .selectFrom('audit')
        .select(['actor', 'resource', 'outcome', 'reason'])
        .where('action', 'in', ['package.version.publish.refused', 'package.version.publish.failed'])
        .orderBy('id')
        .execute(),
    );
    expect(records.map(({ reason }) => reason)).toEqual([
      'run_not_succeeded',
      'draft_empty',
      'chain_broken',
      'signing_key_missing',
    ]);
    expect(records[0]).toEqual({
      actor: 'me',
      resource: 'waybill-run:my-tool@1.2.0',
      outcome: 'refused',
      reason: 'run_not_succeeded',
    });
    const unsigned = await publishRun(releases, publishRequest(again, { unsigned: true }), 'me');
    expect(unsigned.attestation).toBeNull();
  });

  test('G23 of many that publish one run at once one does, and all are told of the same version', async () => {
    await using world = await openReleaseWorld(await open());
    const { releases } = world;
    const run = await world.build();
    const all = await Promise.all(
      Array.from({ length: 6 }, (_, index) => publishRun(releases, publishRequest(run), `publisher ${index}`)),
    );
    expect(all.filter(({ idempotent }) => !idempotent)).toHaveLength(1);
    expect(new Set(all.map(({ digest }) => digest)).size).toBe(1);
    const events = await releases.registry.store.read(({ db }) =>
      db.selectFrom('outbox').select('type').where('type', '=', 'dev.waybill.version.published').execute(),
    );
    expect(events).toHaveLength(1);
  });

  test('G23 a package of another type has its manifest among the files of its run', async () => {
    await using world = await openReleaseWorld(await open());
    const { releases } = world;
    const manifest = JSON.stringify({ name: 'my-tool', version: '2.0.0', main: 'index.js' });
    const coordinate = { type: 'npm', name: 'my-tool', version: '2.0.0' };
    const run = await world.build({ 'package.json': manifest, 'index.js': '' });
    const made = await publishRun(releases, publishRequest(run, { coordinate }), 'me');
    const kept = await getManifest(releases.registry, { repo: 'local', versionId: made.versionId });
    expect(Buffer.from(kept.body).toString('utf8')).toBe(manifest);
    const other = { ...coordinate, version: '2.0.1' };
    await expect(
      publishRun(releases, publishRequest(run, { coordinate: other, files: ['index.js'] }), 'me'),
    ).rejects.toMatchObject({ code: 'manifest_missing', details: { path: 'package.json' } });
    await expect(publishRun(releases, publishRequest(run, { coordinate: other }), 'me')).rejects.toMatchObject({
      code: 'manifest_invalid',
    });
  });
});
