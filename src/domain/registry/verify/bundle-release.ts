import { z } from 'zod';
import { WaybillError } from '../../../contract/errors.ts';
import { releaseBundleSchema } from '../../../contract/release-bundle.ts';
import { digestOf } from '../../../platform/digests/digest.ts';
import { type PublicKey, parsePublicKey } from '../../../platform/signatures/public-key.ts';
import { bundleSourceOf } from '../../runs/evidence/bundle-source.ts';
import { type BundleMembers, bundleText, firstUnreadableEvent } from '../../runs/evidence/bundle-text.ts';
import { parseTime } from '../../runs/evidence/parse-time.ts';
import { decodeUtf8 } from '../../runs/evidence/read-text.ts';
import {
  firstUnreadableMember,
  type ReleaseMember,
  releaseBundleDigest,
  releaseBundleText,
} from '../release/release-bundle-text.ts';
import { assertLink, BrokenRelease, type ReleaseLink } from './release-link.ts';
import type { ReleaseSource } from './release-source.ts';

/** The frame of a release bundle. The bundle of its run is looked at by itself, so that its first broken part is named. */
const frameSchema = releaseBundleSchema.extend({
  run: z
    .looseObject({
      schema: z.unknown(),
      createdAt: z.unknown(),
      createdBy: z.unknown(),
      run: z.unknown(),
      input: z.unknown(),
      events: z.unknown(),
      receipts: z.unknown(),
      sharedReceipts: z.unknown(),
      snapshots: z.unknown(),
      blobs: z.unknown(),
      digest: z.unknown(),
    })
    .nullable(),
});
type Frame = z.infer<typeof frameSchema>;

const links: Readonly<Record<ReleaseMember, ReleaseLink>> = {
  schema: 'package',
  createdAt: 'package',
  createdBy: 'package',
  version: 'package',
  manifest: 'package',
  entries: 'package',
  blobs: 'package',
  attestation: 'attestation',
  publicKey: 'attestation',
  run: 'run',
};

/** The content of a release bundle. @throws BrokenRelease when it is not one */
export function bundleRelease(file: Buffer): ReleaseSource {
  const bundle = frameOf(file);
  const { version, manifest, attestation } = bundle;
  const { versionId, repo, type, name, digest, run, publishedAt, publishedBy } = version;
  const own = runOf(bundle);
  const blobs: Readonly<Record<string, unknown>> = { ...own?.blobs, ...bundle.blobs };
  return {
    content: {
      versionId,
      repo,
      coordinate: { type, name, version: version.version },
      state: 'published',
      digest,
      run,
      publishedAt: parseTime(publishedAt),
      publishedBy,
      entries: bundle.entries,
      manifest: { ...manifest, body: Buffer.from(manifest.body, 'base64') },
      attestation,
    },
    publicKey: keyOf(bundle),
    measure: async (wanted) => {
      const text = Object.hasOwn(blobs, wanted) ? blobs[wanted] : undefined;
      if (typeof text !== 'string') return 'missing';
      const bytes = Buffer.from(text, 'base64');
      return { digest: digestOf(bytes), size: bytes.length };
    },
    checkRecords: async () => ({}),
    openRun: async (wanted) => {
      if (own === null) return null;
      const source = bundleSourceOf(Buffer.from(own.text));
      assertLink('run', 'the run in the bundle', wanted, source.run.runId);
      // That the text is whole is known: it was made here. What it was made from is checked with the whole.
      return source;
    },
    checkWhole: () => checkWhole(bundle, file),
  };
}

/** @throws BrokenRelease naming the link, where it is known of which a part cannot be read */
function frameOf(file: Buffer): Frame {
  let value: unknown;
  try {
    value = JSON.parse(decodeUtf8(file));
  } catch (error) {
    throw unreadable(file, error);
  }
  const parsed = frameSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const path = issue?.path ?? [];
  const member = order.find((each) => each === path[0]);
  const where = `the bundle, at /${path.join('/')}`;
  throw new BrokenRelease(
    member === undefined ? 'package' : links[member],
    where,
    'what its format says',
    issue?.message ?? '',
  );
}

const order: readonly ReleaseMember[] = [
  'schema',
  'createdAt',
  'createdBy',
  'version',
  'manifest',
  'entries',
  'attestation',
  'publicKey',
  'blobs',
  'run',
];

function unreadable(file: Buffer, error: unknown): BrokenRelease {
  const reason = error instanceof Error ? error.message : String(error);
  const found = firstUnreadableMember(file);
  if (found === null) return new BrokenRelease('package', 'the bundle', 'JSON in UTF-8', reason);
  const event = found.member === 'run' ? firstUnreadableEvent(found.bytes) : null;
  if (event !== null) return new BrokenRelease('ledger', `event ${event}`, 'JSON in UTF-8', reason);
  return new BrokenRelease(links[found.member], `the bundle, at /${found.member}`, 'JSON in UTF-8', reason);
}

interface RunText {
  readonly text: string;
  readonly blobs: Readonly<Record<string, unknown>>;
}

/** The bundle of the run as its own file would be. */
function runOf({ run }: Frame): RunText | null {
  if (run === null) return null;
  try {
    const parsed = z.record(z.string(), z.unknown()).safeParse(run.blobs);
    return { text: bundleText(membersOf(run)), blobs: parsed.success ? parsed.data : {} };
  } catch (error) {
    throw new BrokenRelease(
      'run',
      'the bundle of the run',
      'canonical JSON',
      error instanceof Error ? error.message : '',
    );
  }
}

function membersOf(run: NonNullable<Frame['run']>): BundleMembers {
  const { schema, createdAt, createdBy, input, events, receipts, sharedReceipts, snapshots, blobs, digest } = run;
  return {
    schema,
    createdAt,
    createdBy,
    run: run.run,
    input,
    events,
    receipts,
    sharedReceipts,
    snapshots,
    blobs,
    digest,
  };
}

function keyOf({ publicKey, attestation }: Frame): PublicKey | null {
  if (publicKey === null) return null;
  try {
    const key = parsePublicKey(publicKey, 'the public key in the bundle');
    assertLink('attestation', 'the public key', attestation?.keyId ?? 'no key', key.keyId);
    return key;
  } catch (error) {
    if (!(error instanceof WaybillError)) throw error;
    throw new BrokenRelease('attestation', 'the public key', 'an Ed25519 key in PEM', error.message);
  }
}

/** The whole is what was exported, down to the byte. */
function checkWhole(bundle: Frame, file: Buffer): void {
  const members = { ...bundle, run: bundle.run === null ? null : membersOf(bundle.run) };
  assertLink('package', 'the digest of the bundle', releaseBundleDigest(members), bundle.digest);
  if (file.equals(Buffer.from(releaseBundleText(members)))) return;
  throw new BrokenRelease('package', 'the bundle', 'the text its content gives', 'another');
}
