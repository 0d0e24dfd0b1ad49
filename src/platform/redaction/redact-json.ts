import type { JsonObject, JsonValue } from '../../contract/json.ts';
import type { RedactedJson, RedactedText } from './redactor.ts';
import { passesLuhn } from './rules.ts';
import { type NamedSecret, namedSecret } from './secret-name.ts';

const deepest = 512;
const flag = /^--?[A-Za-z][\w-]{0,100}$/;
/** Field names repeat: one look at each is enough. Bounded, because names may come from outside. */
const mostFields = 4096;
const redactedWhole = /^\[redacted:[a-z-]{1,40}\]$/;

/**
 * `redactJson` with a given way to redact text, which remembers in `cleanFields` the names it found clean; see there.
 * Deeper than 512 levels a value is redacted whole.
 */
export function redactJsonWith(
  text: (source: string) => RedactedText,
  cleanFields: Set<string>,
  value: JsonValue,
): RedactedJson {
  let count = 0;

  const walk = (at: JsonValue, named: NamedSecret | undefined, depth: number): JsonValue => {
    if (typeof at === 'string') return named === undefined ? plain(at) : whole(at, named);
    if (typeof at === 'number') return numeric(at, named);
    if (at === null || typeof at !== 'object') return at;
    if (depth >= deepest) return mark('too-deep');
    return isArray(at) ? list(at, named, depth + 1) : record(at, named, depth + 1);
  };
  const mark = (kind: string): string => {
    count++;
    return `[redacted:${kind}]`;
  };
  const plain = (at: string): string => {
    const redacted = text(at);
    count += redacted.count;
    return redacted.text;
  };
  const field = (key: string): string => {
    if (cleanFields.has(key)) return key;
    const redacted = plain(key);
    if (redacted === key && cleanFields.size < mostFields) cleanFields.add(key);
    return redacted;
  };
  const whole = (at: string, named: NamedSecret): string => (at === '' || redactedWhole.test(at) ? at : mark(named));
  const numeric = (at: number, named: NamedSecret | undefined): JsonValue => {
    if (named === 'password') return mark(named);
    // A card number may come as a number; only a profile that takes out cards changes its text.
    if (at >= 1e12 && passesLuhn(String(at)) && text(String(at)).count > 0) return mark('card');
    return at;
  };
  const list = (at: readonly JsonValue[], named: NamedSecret | undefined, depth: number): JsonValue => {
    let changed = false;
    const items = at.map((item, index) => {
      const before = index === 0 ? undefined : at[index - 1];
      const flagged = typeof before === 'string' && flag.test(before) ? namedSecret(before) : undefined;
      const next = walk(item, typeof item === 'string' ? (named ?? flagged) : named, depth);
      changed ||= next !== item;
      return next;
    });
    return changed ? items : at;
  };
  const record = (at: JsonObject, named: NamedSecret | undefined, depth: number): JsonValue => {
    let changed = false;
    // { name: 'DB_PASSWORD', value: '...' }, as container files write an environment.
    const paired = typeof at.name === 'string' && 'value' in at ? namedSecret(at.name) : undefined;
    const taken = new Set<string>();
    const entries = Object.entries(at).map(([key, item]): [string, JsonValue] => {
      const own = named ?? (key === 'value' ? paired : undefined) ?? namedSecret(key);
      const next = walk(item, own, depth);
      let newKey = field(key);
      while (taken.has(newKey)) newKey += '_';
      taken.add(newKey);
      changed ||= next !== item || newKey !== key;
      return [newKey, next];
    });
    return changed ? Object.fromEntries(entries) : at;
  };

  const redacted = walk(value, undefined, 0);
  return { value: redacted, count };
}

function isArray(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}
