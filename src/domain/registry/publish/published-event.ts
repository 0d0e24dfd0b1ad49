import type { Digest } from '../../../contract/ids.ts';
import { formatTime, type Micros } from '../../../platform/clock/clock.ts';
import type { OutboxEntry } from '../../../platform/journal/outbox.ts';
import type { VersionRow } from '../version-row.ts';
import type { Found } from './before-publish.ts';

/** The aggregate under which the events of a package are told, in order. */
export function packageAggregate(packageId: string): string {
  return `package:${packageId}`;
}

/** A version can have thousands of files; the event names so many, and says how many there are. */
const mostNamed = 1_000;

/** The event that a version is published: all a consumer needs to fetch and check it. */
export function publishedEvent({
  row,
  found,
  seq,
  attestation,
  at,
  by,
}: {
  readonly row: VersionRow;
  readonly found: Found;
  readonly seq: number;
  readonly attestation: { readonly keyId: string; readonly digest: Digest } | null;
  readonly at: Micros;
  readonly by: string;
}): OutboxEntry {
  const { manifest, entries, coordinate, digest } = found;
  return {
    aggregate: packageAggregate(row.packageId),
    seq,
    type: 'dev.waybill.version.published',
    at,
    payload: {
      schema: 'waybill.version.published.v1',
      repo: row.repo,
      ...coordinate,
      versionId: row.versionId,
      packageId: row.packageId,
      digest,
      manifest: { digest: manifest.digest, size: manifest.size, mediaType: manifest.mediaType },
      entries: entries
        .slice(0, mostNamed)
        .map(({ path, digest: of, size, mediaType }) => ({ path, digest: of, size, mediaType })),
      entryCount: entries.length,
      size: entries.reduce((sum, entry) => sum + entry.size, 0),
      run: row.run,
      attestation: attestation === null ? null : { keyId: attestation.keyId, digest: attestation.digest },
      actor: by,
      publishedAt: formatTime(at),
    },
  };
}
