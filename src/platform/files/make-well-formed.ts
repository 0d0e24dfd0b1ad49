import type { JsonValue } from '../../contract/json.ts';

/** A text that every store and every UTF-8 reader can hold, and whether it had to be changed for that. */
export interface WellFormed<T> {
  readonly value: T;
  /** True when `value` is the escaped form: `\u0000`, `\ud800` for what cannot be kept, `\\` for a backslash. */
  readonly escaped: boolean;
}

const unkeepable = /\0|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;
const toEscape = new RegExp(`${unkeepable.source}|\\\\`, 'g');

/**
 * Makes a text from outside well-formed (no lone surrogate) and free of NUL. A clean text comes back as it is; in
 * any other, those characters become escapes and backslashes are doubled, so nothing is lost and two different
 * texts never become the same one as long as `escaped` is kept beside them.
 */
export function makeWellFormed(text: string): WellFormed<string> {
  if (text.isWellFormed() && !text.includes('\0')) return { value: text, escaped: false };
  return { value: escapeText(text), escaped: true };
}

function escapeText(text: string): string {
  return text.replace(toEscape, (unit) =>
    unit === '\\' ? '\\\\' : `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** `makeWellFormed` for every string and key of a JSON value; the same object when nothing had to be changed. */
export function makeJsonWellFormed(value: JsonValue): WellFormed<JsonValue> {
  if (typeof value === 'string') return makeWellFormed(value);
  if (value === null || typeof value !== 'object') return { value, escaped: false };
  if (Array.isArray(value)) {
    const items = value.map(makeJsonWellFormed);
    if (!items.some((item) => item.escaped)) return { value, escaped: false };
    return { value: items.map((item) => item.value), escaped: true };
  }
  const entries = Object.entries(value).map(
    ([key, item]) => [key, makeWellFormed(key), makeJsonWellFormed(item)] as const,
  );
  const keysEscaped = entries.some(([, key]) => key.escaped);
  if (!keysEscaped && !entries.some(([, , item]) => item.escaped)) return { value, escaped: false };
  // When one key is escaped all are, or an escaped key could meet a clean one that looks the same.
  return {
    value: Object.fromEntries(entries.map(([key, , item]) => [keysEscaped ? escapeText(key) : key, item.value])),
    escaped: true,
  };
}
