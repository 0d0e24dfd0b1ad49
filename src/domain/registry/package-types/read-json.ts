import { isUtf8 } from 'node:buffer';
import type { JsonValue } from '../../../contract/json.ts';
import type { ManifestProblem } from './package-type.ts';

/** Deeper than any manifest, and shallow enough for what walks a value by recursion. */
const deepest = 64;
/** More than any manifest of a MiB needs; each is looked at by several checks. */
const mostValues = 100_000;

export type ReadJson = { readonly value: JsonValue } | { readonly problems: readonly ManifestProblem[] };

/**
 * Reads JSON that everybody reads the same way: UTF-8, no key twice in one object, no `__proto__`, no number beyond what a
 * number holds, nothing nested deeper than 64. Never throws; what is wrong is said with its pointer.
 */
export function readJson(bytes: Uint8Array): ReadJson {
  if (!isUtf8(bytes)) return whole('is not UTF-8');
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  const tooMuch = whyTooMuch(text);
  if (tooMuch !== undefined) return whole(tooMuch);
  let value: JsonValue;
  try {
    value = JSON.parse(text);
  } catch {
    return whole('is not JSON');
  }
  const problems = scan(text);
  return problems.length === 0 ? { value } : { problems };
}

function whole(message: string): ReadJson {
  return { problems: [{ pointer: '', message }] };
}

/** Looked at before the parser: it takes any text, and time in its length only. */
function whyTooMuch(text: string): string | undefined {
  let depth = 0;
  let values = 1;
  for (const { first } of tokens(text)) {
    if (first === ',' && ++values > mostValues) return `has more than ${mostValues} values`;
    if ((first === '{' || first === '[') && ++depth > deepest) return `is nested deeper than ${deepest}`;
    if (first === '}' || first === ']') depth--;
  }
  return undefined;
}

interface Token {
  /** One of `{}[],`, or the first character of a string, a number or a word. */
  readonly first: string;
  readonly start: number;
  readonly end: number;
}

/** The parts of a JSON text without its colons and its white space; of any other text something that ends. */
function* tokens(text: string): Generator<Token> {
  for (let at = 0; at < text.length; ) {
    const start = at;
    const first = text.charAt(at++);
    if (first === '"') {
      while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
      at++;
    } else if (!'{}[],: \t\r\n'.includes(first)) {
      while (at < text.length && !'{}[],: \t\r\n"'.includes(text.charAt(at))) at++;
    }
    if (!': \t\r\n'.includes(first)) yield { first, start, end: at };
  }
}

interface Open {
  readonly pointer: string;
  /** Of an object. */
  readonly keys: Set<string> | undefined;
  /** The key or the index that comes now. */
  at: string | number;
  expectsKey: boolean;
}

/** Walks a text the parser took, for what the parser says nothing of. */
function scan(text: string): ManifestProblem[] {
  const problems: ManifestProblem[] = [];
  const stack: Open[] = [];
  for (const { first, start, end } of tokens(text)) {
    const open = stack.at(-1);
    if (first === '{') stack.push({ pointer: pointerOf(open), keys: new Set(), at: '', expectsKey: true });
    else if (first === '[') stack.push({ pointer: pointerOf(open), keys: undefined, at: 0, expectsKey: false });
    else if (first === '}' || first === ']') stack.pop();
    else if (first === ',') {
      if (open?.keys !== undefined) open.expectsKey = true;
      else if (typeof open?.at === 'number') open.at++;
    } else if (first === '"') {
      if (open?.keys === undefined || !open.expectsKey) continue;
      open.expectsKey = false;
      open.at = keyOf(text.slice(start, end));
      if (open.keys.has(open.at)) problems.push({ pointer: pointerOf(open), message: 'is there twice' });
      open.keys.add(open.at);
      if (open.at === '__proto__') problems.push({ pointer: pointerOf(open), message: 'must not be a key' });
    } else if (/[-0-9]/.test(first) && !Number.isFinite(Number(text.slice(start, end)))) {
      problems.push({ pointer: pointerOf(open), message: 'is a number too large to be held' });
    }
  }
  return problems;
}

function keyOf(token: string): string {
  const key: unknown = JSON.parse(token);
  return typeof key === 'string' ? key : '';
}

function pointerOf(open: Open | undefined): string {
  return open === undefined ? '' : `${open.pointer}/${escapeSegment(open.at)}`;
}

function escapeSegment(part: string | number): string {
  return String(part).replaceAll('~', '~0').replaceAll('/', '~1');
}

/** The JSON pointer (RFC 6901) of a path. */
export function jsonPointer(path: readonly PropertyKey[]): string {
  return path.map((part) => `/${escapeSegment(typeof part === 'symbol' ? '' : part)}`).join('');
}
