import type { ReleaseBundle } from '../../../contract/release-bundle.ts';
import { canonicalJson } from '../../../platform/canonical-json/canonical-json.ts';
import { digestOf } from '../../../platform/digests/digest.ts';
import { type BundleMembers, bundleText } from '../../runs/evidence/bundle-text.ts';

/** The members of a release bundle in the order of its file; the bundle of the run stands in it as its own file would. */
const order = [
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
] as const satisfies readonly (keyof ReleaseBundle)[];
export type ReleaseMember = (typeof order)[number];

/** A bundle whose run has not been looked at yet. */
export type ReleaseMembers = Omit<ReleaseBundle, 'run'> & { readonly run: BundleMembers | null };

/** The digest that ends a release bundle, over all lines before it. */
export function releaseBundleDigest(bundle: Omit<ReleaseMembers, 'digest'>): string {
  return digestOf(textBeforeDigest(bundle));
}

/** The one text a release bundle has: each member begins a line. Any other byte in the file is a broken bundle. */
export function releaseBundleText(bundle: ReleaseMembers): string {
  return `${textBeforeDigest(bundle)}"digest":${canonicalJson(bundle.digest)}}\n`;
}

function textBeforeDigest(bundle: Omit<ReleaseMembers, 'digest'>): string {
  return `{${order.map((name) => `"${name}":${memberText(bundle, name)},\n`).join('')}`;
}

function memberText(bundle: Omit<ReleaseMembers, 'digest'>, name: ReleaseMember): string {
  switch (name) {
    case 'run':
      return bundle.run === null ? 'null' : bundleText(bundle.run);
    case 'entries':
      return `[\n${bundle.entries.map((entry) => canonicalJson(entry)).join(',\n')}\n]`;
    case 'blobs': {
      const blobs = Object.entries(bundle.blobs).sort(([a], [b]) => (a < b ? -1 : 1));
      return `{\n${blobs.map(([digest, bytes]) => `${canonicalJson(digest)}:${canonicalJson(bytes)}`).join(',\n')}\n}`;
    }
    default:
      return canonicalJson(bundle[name]);
  }
}

/**
 * The first member of a file that cannot be read, and its bytes; for a file that cannot be read as a whole. Null when
 * each can, or it is no release bundle at all.
 */
export function firstUnreadableMember(file: Buffer): { readonly member: ReleaseMember; readonly bytes: Buffer } | null {
  const starts = order.map((name) => file.indexOf(`${name === 'schema' ? '{' : '\n'}"${name}":`));
  for (const [at, member] of order.entries()) {
    const start = starts[at] ?? -1;
    if (start < 0) return { member, bytes: Buffer.alloc(0) };
    const next = starts.slice(at + 1).find((each) => each > start) ?? file.lastIndexOf('\n"digest":');
    const value = file.subarray(start + member.length + 4, next < 0 ? file.length : next);
    try {
      const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(value);
      JSON.parse(text.trimEnd().replace(/,$/, ''));
    } catch {
      return { member, bytes: value };
    }
  }
  return null;
}
