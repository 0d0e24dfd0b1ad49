import { type Digest, isId } from '../../../contract/ids.ts';
import { digestOf, parseDigest } from '../../../platform/digests/digest.ts';
import type { Entry } from '../package-types/package-type.ts';
import { versionDigest } from '../publish/version-digest.ts';
import { assertLink, BrokenRelease } from './release-link.ts';
import type { KeptEntry, ReleaseContent, ReleaseSource } from './release-source.ts';

/** A version whose own parts fit together. */
export interface ProvenPackage {
  readonly entries: readonly Entry[];
  readonly digest: Digest;
  /** Bytes that were read. */
  readonly bytes: number;
  /** Entries whose bytes are gone, which only a tombstoned version may have. */
  readonly gone: number;
}

/**
 * The version by itself: its digest is that of its coordinate, manifest and entries, and every byte of them is what its
 * digest says.
 * @throws BrokenRelease
 */
export async function checkPackage(source: ReleaseSource): Promise<ProvenPackage> {
  const { content } = source;
  const { manifest, coordinate, state } = content;
  if (content.digest === null) throw new BrokenRelease('package', 'the version', 'a digest', 'none');
  if (manifest === null) throw new BrokenRelease('package', 'the manifest', 'a manifest', 'none');
  if (content.entries.length === 0) throw new BrokenRelease('package', 'the entries', 'at least one', 'none');
  assertLink('package', 'the manifest', manifest.digest, digestOf(manifest.body));
  assertLink('package', 'the size of the manifest', String(manifest.size), String(manifest.body.length));
  const entries = content.entries.map(entryOf);
  const facts = { digest: parseDigest(manifest.digest), size: manifest.size, mediaType: manifest.mediaType };
  const digest = versionDigest({ coordinate, manifest: facts, entries });
  assertLink('package', 'the digest of the version', content.digest, digest);
  let [bytes, gone] = [0, 0];
  for (const entry of entries) {
    const found = await source.measure(entry.digest);
    if (found === 'missing') {
      if (state !== 'tombstoned')
        throw new BrokenRelease('package', entry.path, entry.digest, 'no bytes under this digest');
      gone += 1;
      continue;
    }
    assertLink('package', entry.path, entry.digest, found.digest);
    assertLink('package', `the size of ${entry.path}`, String(entry.size), String(found.size));
    bytes += found.size;
  }
  return { entries, digest, bytes, gone };
}

function entryOf({ path, digest, size, mediaType }: KeptEntry): Entry {
  if (!isId('digest', digest)) throw new BrokenRelease('package', path, 'a digest', digest);
  return { path, digest, size, mediaType };
}

/** `3 files, 12345 bytes`. */
export function packageWords({ entries }: ReleaseContent, { bytes, gone }: ProvenPackage): string {
  const files = `${entries.length} ${entries.length === 1 ? 'file' : 'files'}, ${bytes} bytes`;
  return gone === 0 ? files : `${files}; the bytes of ${gone} are gone, as those of a tombstoned version may be`;
}
