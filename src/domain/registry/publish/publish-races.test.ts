import { afterAll, describe, expect, test } from 'vitest';
import { bothStores, dropDatabases } from '../../../../test/support/both-stores.ts';
import { arrangeDraft } from '../testing/arrange-draft.ts';
import { openTestRegistry } from '../testing/open-test-registry.ts';
import { publishVersion } from './publish-version.ts';

afterAll(dropDatabases);

describe.each(bothStores)('publishers at once, on %s', (_name, open) => {
  test('G11 of 50 publishers of one draft in two processes one publishes, the others are told so; one event', async () => {
    await using opened = await openTestRegistry(await open());
    const { registry, world } = opened;
    const other = await world.start();
    const elsewhere = { ...registry, store: other.engine.store };
    const draft = await arrangeDraft(registry);
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        publishVersion(index % 2 === 0 ? registry : elsewhere, draft, `publisher-${index}`),
      ),
    );
    const [first] = answers.filter(({ idempotent }) => !idempotent);
    expect(answers.filter(({ idempotent }) => !idempotent)).toHaveLength(1);
    expect(answers.map(({ idempotent: _, ...same }) => same)).toEqual(
      answers.map(() => ({
        versionId: draft.versionId,
        digest: first?.digest,
        publishedAt: first?.publishedAt,
        publishedBy: first?.publishedBy,
      })),
    );
    const told = await registry.store.read(async ({ db }) => ({
      outbox: await db.selectFrom('outbox').select(['type', 'aggregate_seq']).execute(),
      audit: await db.selectFrom('audit').select(['action', 'actor']).execute(),
    }));
    expect(told).toEqual({
      outbox: [{ type: 'dev.waybill.version.published', aggregate_seq: 1 }],
      audit: [{ action: 'package.version.published', actor: first?.publishedBy }],
    });
  });

  test('G12 again: the same answer and no event; with another digest expected: 409 with both', async () => {
    await using opened = await openTestRegistry(await open());
    const { registry } = opened;
    const draft = await arrangeDraft(registry);
    const first = await publishVersion(registry, draft, 'one');
    expect(await publishVersion(registry, { ...draft, expectedDigest: first.digest }, 'two')).toEqual({
      ...first,
      idempotent: true,
    });
    const other = await registry.blobs.put(Buffer.from('other'));
    await expect(publishVersion(registry, { ...draft, expectedDigest: other }, 'two')).rejects.toMatchObject({
      code: 'version_conflict',
      details: { expected: other, actual: first.digest },
    });
    const rows = await registry.store.read(({ db }) => db.selectFrom('outbox').select('id').execute());
    expect(rows).toHaveLength(1);
  });
});
