import type { Bundle } from '../../../contract/evidence.ts';
import { canonicalJson } from '../../../platform/canonical-json/canonical-json.ts';
import { digestOf } from '../../../platform/digests/digest.ts';

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
  'digest',
] as const satisfies readonly (keyof Bundle)[];

/** A bundle whose parts have not been looked at yet: what JSON.parse gave for each member. */
export type BundleMembers = Readonly<Record<keyof Bundle, unknown>>;

/** The digest that ends a bundle: over the canonical form of each other member, a line each, in the order of the file. */
export function bundleDigest(bundle: Omit<BundleMembers, 'digest'>): string {
  return digestOf(linesOf(bundle).join('\n'));
}

/**
 * The one text a bundle has: each member begins a line, and so does each event, receipt, snapshot and blob, so that
 * a broken place can be named by its line. Any other byte in the file is a broken bundle.
 */
export function bundleText(bundle: BundleMembers): string {
  return `{${linesOf(bundle).join('\n')}\n"digest":${canonicalJson(bundle.digest)}}\n`;
}

function linesOf(bundle: Omit<BundleMembers, 'digest'>): string[] {
  const lines: string[] = [];
  for (const name of order) {
    if (name === 'digest') continue;
    const value: unknown = bundle[name];
    if (Array.isArray(value)) lines.push(`"${name}":[`, ...listed(value.map((item) => canonicalJson(item))), '],');
    else if (name === 'blobs' && typeof value === 'object' && value !== null)
      lines.push('"blobs":{', ...listed(members(value)), '},');
    else lines.push(`"${name}":${canonicalJson(value)},`);
  }
  return lines;
}

function members(value: object): string[] {
  return Object.entries(value)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, item]) => `${canonicalJson(key)}:${canonicalJson(item)}`);
}

function listed(lines: readonly string[]): string[] {
  return lines.map((line, index) => (index === lines.length - 1 ? line : `${line},`));
}

/** The event on which the text stops being JSON, if it is one; for a file that cannot be parsed as a whole. */
export function firstUnreadableEvent(text: string): number | null {
  const begin = text.indexOf('\n"events":[\n');
  if (begin < 0) return null;
  const lines = text.slice(begin + '\n"events":[\n'.length).split('\n');
  for (const [index, line] of lines.entries()) {
    if (line === '],') return null;
    try {
      JSON.parse(line.replace(/,$/, ''));
    } catch {
      return index + 1;
    }
  }
  return null;
}
