import { canonicalJson } from '../canonical-json/canonical-json.ts';
import { digestOf, hexOf } from '../digests/digest.ts';

/** What makes two failures the same one; `explain` shows exactly this. */
export interface FingerprintParts {
  readonly type: string;
  readonly message: string;
  readonly step: string | null;
  /** Exit code or signal of a process, as text: `exit 1`, `SIGKILL`. */
  readonly exit: string | null;
}

export const fingerprintVersion = 1;

/** 32 hex digits: the first half of the SHA-256 of the version and the parts in canonical form. */
export function fingerprintOf(parts: FingerprintParts): string {
  return hexOf(digestOf(canonicalJson({ v: fingerprintVersion, ...parts }))).slice(0, 32);
}

/** From general to particular would eat the particular: ids first, bare numbers last. All patterns are linear. */
const replacements: readonly (readonly [RegExp, string])[] = [
  [/run-\d{8}-\d{6}-[0-9a-f]{8}(?:-\d{1,16})?/g, '<run>'],
  [/(?:sha256|hmac-sha256|ik):[0-9a-f]{64}/g, '<digest>'],
  [/(?:err|inc|dec|gr)_[0-9a-f]{16,32}|snap-[0-9a-f]{12}/g, '<id>'],
  [/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi, '<id>'],
  [/\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?/g, '<time>'],
  [/"[^"\n]{0,200}"|(?<!\w)'[^'\n]{0,200}'|`[^`\n]{0,200}`/g, '<text>'],
  [/(?<![\w/<>])(?:[A-Za-z]:\\|\.{0,2}\/)[^\s:;,()'"<>]+/g, '<path>'],
  [/(?<!\w)0x[0-9a-f]+|(?<![\w])(?=[0-9a-f]*\d)[0-9a-f]{8,64}(?!\w)/gi, '<hex>'],
  [/\d+(?:\.\d+)?/g, '<n>'],
];

/** A message without what differs from one occurrence to the next: ids, digests, times, paths, quoted text, numbers. */
export function normalizeMessage(message: string): string {
  const normal = replacements.reduce((text, [pattern, name]) => text.replace(pattern, name), message);
  return normal.replaceAll(/\s+/g, ' ').trim().slice(0, 300).toWellFormed();
}
