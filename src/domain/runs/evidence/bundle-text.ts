import type { Bundle } from '../../../contract/evidence.ts';
import { canonicalJson } from '../../../platform/canonical-json/canonical-json.ts';
import { digestOf } from '../../../platform/digests/digest.ts';
import { decodeUtf8 } from './read-text.ts';

/** The members of a bundle in the order of its file: small facts first, bytes last. */
const order = [
  'schema',
  'createdAt',
  'createdBy',
  'run',
  'input',
  'events',
  'receipts',
  'sharedReceipts',
  'snapshots',
  'blobs',
] as const satisfies readonly (keyof Bundle)[];

/** A bundle whose parts have not been looked at yet: what JSON.parse gave for each member. */
export type BundleMembers = Readonly<Record<keyof Bundle, unknown>>;

/** The digest that ends a bundle, over all lines before it: `head -n -1 FILE | sha256sum` gives it too. */
export function bundleDigest(bundle: Omit<BundleMembers, 'digest'>): string {
  return digestOf(textBeforeDigest(bundle));
}

/**
 * The one text a bundle has: each member begins a line, and so does each event, receipt, snapshot and blob, so that
 * a broken place can be named by its line. Any other byte in the file is a broken bundle.
 */
export function bundleText(bundle: BundleMembers): string {
  return `${textBeforeDigest(bundle)}"digest":${canonicalJson(bundle.digest)}}\n`;
}

function textBeforeDigest(bundle: Omit<BundleMembers, 'digest'>): string {
  return `{${linesOf(bundle).join('\n')}\n`;
}

function linesOf(bundle: Omit<BundleMembers, 'digest'>): string[] {
  return order.flatMap((name) => {
    const value: unknown = bundle[name];
    if (Array.isArray(value)) return [`"${name}":[`, ...listed(value.map((item) => canonicalJson(item))), '],'];
    if (name === 'blobs' && typeof value === 'object' && value !== null) {
      return ['"blobs":{', ...listed(membersOf(value)), '},'];
    }
    return [`"${name}":${canonicalJson(value)},`];
  });
}

function membersOf(value: object): string[] {
  return Object.entries(value)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, item]) => `${canonicalJson(key)}:${canonicalJson(item)}`);
}

function listed(lines: readonly string[]): string[] {
  return lines.map((line, index) => (index === lines.length - 1 ? line : `${line},`));
}

const eventsBegin = Buffer.from('\n"events":[\n');

/** The first event whose line cannot be read, if there is one: for a file that cannot be read as a whole. */
export function firstUnreadableEvent(file: Buffer): number | null {
  const before = file.indexOf(eventsBegin);
  if (before < 0) return null;
  let start = before + eventsBegin.length;
  for (let event = 1; start < file.length; event++) {
    const newline = file.indexOf(0x0a, start);
    const end = newline < 0 ? file.length : newline;
    try {
      const line = decodeUtf8(file.subarray(start, end));
      if (line === '],') return null;
      JSON.parse(line.replace(/,$/, ''));
    } catch {
      return event;
    }
    start = end + 1;
  }
  return null;
}
