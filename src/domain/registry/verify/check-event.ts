import { z } from 'zod';
import { formatTime } from '../../../platform/clock/clock.ts';
import type { ReadTx } from '../../../platform/store/store.ts';
import { assertNumbers } from '../../../platform/store/unreadable-number.ts';
import { firstDifference } from '../../runs/keys/first-difference.ts';
import { packageAggregate } from '../publish/published-event.ts';
import { jsonOf } from './json-of.ts';
import { assertLink, BrokenRelease, type ReleaseLink } from './release-link.ts';
import type { ReleaseContent } from './release-source.ts';
import type { KeptRow } from './store-records.ts';

const publishedType = 'dev.waybill.version.published';

/** Members that a later version adds say nothing of this one's row. */
const announced = z.object({
  repo: z.string(),
  type: z.string(),
  name: z.string(),
  version: z.string(),
  versionId: z.string(),
  packageId: z.string(),
  digest: z.string(),
  manifest: z.strictObject({ digest: z.string(), size: z.int(), mediaType: z.string() }),
  entries: z.array(
    z.strictObject({ path: z.string(), digest: z.string(), size: z.int(), mediaType: z.string().nullable() }),
  ),
  entryCount: z.int(),
  size: z.int(),
  run: z.string().nullable(),
  attestation: z.strictObject({ keyId: z.string(), digest: z.string() }).nullable(),
  actor: z.string(),
  publishedAt: z.string(),
});

/**
 * The event that announced a version says what its row says. Delivered events are not kept for ever.
 * @returns 0 when it is no longer there
 * @throws BrokenRelease
 */
export async function checkEvent({ db }: ReadTx, row: KeptRow, content: ReleaseContent): Promise<number> {
  if (row.event_seq === null || row.event_seq < 1 || row.event_seq > row.events) {
    throw new BrokenRelease('package', 'its place among the events', `1 to ${row.events}`, String(row.event_seq));
  }
  const events = await db
    .selectFrom('outbox')
    .select(['aggregate_seq', 'type', 'at', 'payload'])
    .where('aggregate', '=', packageAggregate(row.package))
    .where((where) => where.or([where('aggregate_seq', '=', row.event_seq), where('type', '=', publishedType)]))
    .execute();
  assertNumbers('outbox', events);
  const own = events.find(({ payload }) => announced.safeParse(jsonOf(payload)).data?.versionId === row.id);
  const event = events.find(({ aggregate_seq }) => aggregate_seq === row.event_seq) ?? own;
  if (event === undefined) return 0;
  assertLink('package', 'the type of its event', publishedType, event.type);
  const said = announced.safeParse(jsonOf(event.payload));
  if (!said.success) throw new BrokenRelease('package', 'its event', 'what its format says', event.payload);
  const told = { ...said.data, seq: event.aggregate_seq };
  const difference = firstDifference(expected(row, content, told.entries.length), told);
  if (difference === undefined) {
    assertLink('package', 'the time of its event', String(row.published_at), String(event.at));
    return 1;
  }
  const { path, left, right } = difference;
  throw new BrokenRelease(linkAt(path), `its event, at ${path}`, left, right);
}

function expected(row: KeptRow, content: ReleaseContent, named: number) {
  const { coordinate, entries, manifest, attestation } = content;
  return {
    repo: row.repo,
    ...coordinate,
    versionId: row.id,
    packageId: row.package,
    digest: content.digest,
    manifest:
      manifest === null ? null : { digest: manifest.digest, size: manifest.size, mediaType: manifest.mediaType },
    entries: entries.slice(0, named).map(({ path, digest, size, mediaType }) => ({ path, digest, size, mediaType })),
    entryCount: entries.length,
    size: entries.reduce((sum, { size }) => sum + size, 0),
    run: row.run,
    attestation: attestation === null ? null : { keyId: attestation.keyId, digest: attestation.digest },
    actor: row.published_by,
    publishedAt: row.published_at === null ? null : formatTime(row.published_at),
    seq: row.event_seq,
  };
}

function linkAt(pointer: string): ReleaseLink {
  if (pointer.startsWith('/attestation')) return 'attestation';
  return pointer === '/run' ? 'run' : 'package';
}
