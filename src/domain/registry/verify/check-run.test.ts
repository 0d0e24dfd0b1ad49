import { expect, test } from 'vitest';
import { openReleaseWorld } from '../../../../test/support/release-world.ts';
import { digestOf } from '../../../platform/digests/digest.ts';
import { runOfRelease } from '../release/run-of-release.ts';
import { checkManifest } from './check-run.ts';
import { BrokenRelease } from './release-link.ts';

test('G25 a manifest that is no JSON is a broken link, also when every digest of it is right', async () => {
  await using world = await openReleaseWorld({});
  const run = await runOfRelease(world.releases.registry, await world.build());
  const coordinate = { type: 'waybill-run', name: 'my-tool', version: '1.2.0' };
  for (const text of ['', '{', 'null', '\xff']) {
    const body = Buffer.from(text, 'latin1');
    const digest = digestOf(body);
    const content = {
      ...{ versionId: 'ver_0123456789abcdef', repo: 'local', coordinate, state: 'published' as const, digest },
      ...{ run: run.runId, publishedAt: 1, publishedBy: 'me', entries: [], attestation: null },
      manifest: { mediaType: 'application/json', body, digest, size: body.length },
    };
    expect(() => checkManifest(content, { coordinate, digest, entries: [] }, run), text).toThrow(BrokenRelease);
  }
});
