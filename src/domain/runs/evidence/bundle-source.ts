import { z } from 'zod';
import { bundleSchema } from '../../../contract/evidence.ts';
import { canonicalJson } from '../../../platform/canonical-json/canonical-json.ts';
import { assertSame, Broken } from './broken-link.ts';
import { type BundleMembers, bundleDigest, bundleText, firstUnreadableEvent } from './bundle-text.ts';
import type { EventText, EvidenceSource } from './evidence-source.ts';
import { decodeUtf8, readBytes } from './read-text.ts';

/** The frame of a bundle. Its events and receipts are looked at one by one, so that the first broken one is named. */
const frameSchema = bundleSchema.extend({
  events: z.array(z.looseObject({ previous: z.string(), digest: z.string() })),
  receipts: z.array(z.unknown()),
  sharedReceipts: z.array(z.unknown()),
  snapshots: z.array(z.looseObject({ digest: z.string() })),
});
type Frame = z.infer<typeof frameSchema>;

/** A bundle file. @throws WaybillError `file_read_failed`; Broken when it is not one */
export async function bundleSource(file: string): Promise<EvidenceSource> {
  return bundleSourceOf(await readBytes(file));
}

/** The content of a bundle file. @throws Broken when it is not one */
export function bundleSourceOf(file: Buffer): EvidenceSource {
  const bundle = frameOf(file);
  const manifests = new Map(bundle.snapshots.map((manifest) => [manifest.digest, manifest]));
  return {
    run: bundle.run,
    events: () => eventTexts(bundle),
    receipt: async (number) => {
      const receipt = bundle.receipts[number - 1];
      return receipt === undefined ? 'missing' : { text: textOf(receipt, `receipt ${number}`) };
    },
    receiptCount: async () => bundle.receipts.length,
    sharedReceipts: async function* () {
      for (const receipt of bundle.sharedReceipts) yield { text: textOf(receipt, 'a shared receipt') };
    },
    input: async () => textOf(bundle.input, 'the input'),
    manifest: async (digest) => {
      const manifest = manifests.get(digest);
      return manifest === undefined ? 'missing' : textOf(manifest, `snapshot ${digest}`);
    },
    blob: async (digest) => {
      const bytes = bundle.blobs[digest];
      return bytes === undefined ? 'missing' : Buffer.from(bytes, 'base64');
    },
    checkWhole: () => checkFrame(bundle, file),
  };
}

/** @throws Broken naming the event, where it is one that cannot be read */
function frameOf(file: Buffer): Frame {
  let value: unknown;
  try {
    value = JSON.parse(decodeUtf8(file));
  } catch (error) {
    const event = firstUnreadableEvent(file);
    const where = event === null ? 'the bundle' : `event ${event}`;
    throw new Broken('format', where, 'JSON in UTF-8', error instanceof Error ? error.message : String(error));
  }
  const parsed = frameSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const [member, index] = issue?.path ?? [];
  const where = member === 'events' && typeof index === 'number' ? `event ${index + 1}` : 'the bundle';
  throw new Broken('schema', where, 'what its schema says', `${issue?.path.join('.')}: ${issue?.message}`);
}

async function* eventTexts(bundle: Frame): AsyncGenerator<EventText> {
  for (const [index, { previous, digest, ...body }] of bundle.events.entries()) {
    yield { text: textOf(body, `event ${index + 1}`), previous, digest };
  }
}

/** JSON can spell what has no canonical form: numbers too large, half characters. */
function textOf(value: unknown, where: string): string {
  try {
    return canonicalJson(value);
  } catch (error) {
    throw new Broken('canonical form', where, 'canonical JSON', error instanceof Error ? error.message : String(error));
  }
}

/** The whole is what was exported, down to the byte. */
function checkFrame(bundle: BundleMembers, file: Buffer): void {
  assertSame('digest', 'the bundle', bundleDigest(bundle), String(bundle.digest));
  if (file.equals(Buffer.from(bundleText(bundle)))) return;
  throw new Broken('canonical form', 'the bundle', 'the text its content gives', 'another');
}
