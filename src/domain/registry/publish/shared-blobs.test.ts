import { afterAll, describe, expect, test } from 'vitest';
import { bothStores, dropDatabases } from '../../../../test/support/both-stores.ts';
import { openTestRegistry } from '../testing/open-test-registry.ts';
import { publishWhole } from './publish-whole.ts';

afterAll(dropDatabases);

describe.each(bothStores)('versions of the same files, on %s', (_name, open) => {
  test('G13 packages that share their files, under other names, are published at once: none waits for ever', async () => {
    await using opened = await openTestRegistry(await open());
    const { registry, world } = opened;
    const other = { ...registry, store: (await world.start()).engine.store };
    const texts = Array.from({ length: 60 }, (_, at) => `file ${at}`);
    const files = (order: readonly string[]) =>
      order.map((text, at) => ({ path: `f${1000 + at}`, bytes: Buffer.from(text), mediaType: null }));
    const manifest = { mediaType: null, bytes: Buffer.from('{}') };
    for (let round = 0; round < 3; round++) {
      const published = await Promise.all(
        [0, 1, 2, 3].map((which) => {
          const turned = which % 2 === 1;
          const coordinate = { type: 'generic', name: `tool-${which}`, version: `1.0.${round}` };
          const whole = { repo: 'local', ...coordinate, files: files(turned ? texts.toReversed() : texts), manifest };
          return publishWhole(turned ? other : registry, whole, 'test');
        }),
      );
      expect(published.filter(({ idempotent }) => !idempotent)).toHaveLength(4);
    }
  });
});
