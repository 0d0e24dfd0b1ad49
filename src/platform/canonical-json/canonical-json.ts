import { WaybillError } from '../../contract/errors.ts';

const plainString = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;

/**
 * The canonical form of a JSON value after RFC 8785 (JSON Canonicalization Scheme): keys sorted by UTF-16
 * code unit, ECMAScript numbers, no white space, no HTML escaping. Two equal values give the same bytes.
 *
 * Unlike `JSON.stringify` nothing is dropped in silence: what JSON cannot represent (undefined, NaN, a
 * function, a lone surrogate, an integer beyond 2^53, a cycle) is refused.
 * @throws WaybillError `not_canonical` with the JSON pointer of the offending value.
 */
export function canonicalJson(value: unknown): string {
  return write(value, '', 0);
}

const deepest = 512;

function write(value: unknown, path: string, depth: number): string {
  switch (typeof value) {
    case 'string':
      return writeString(value, path);
    case 'number':
      return writeNumber(value, path);
    case 'boolean':
      return value ? 'true' : 'false';
    case 'object':
      if (value === null) return 'null';
      if (depth >= deepest) throw refused(path, `nested deeper than ${deepest}, or a cycle`);
      return Array.isArray(value) ? writeArray(value, path, depth) : writeObject(value, path, depth);
    default:
      throw refused(path, `a value of type ${typeof value}`);
  }
}

function writeString(text: string, path: string): string {
  if (plainString.test(text)) return `"${text}"`;
  if (!text.isWellFormed()) throw refused(path, 'a string with a lone surrogate');
  return JSON.stringify(text);
}

function writeNumber(value: number, path: string): string {
  if (!Number.isFinite(value)) throw refused(path, `the number ${value}`);
  if (Number.isInteger(value) && Math.abs(value) > Number.MAX_SAFE_INTEGER && Math.abs(value) < 1e21) {
    throw refused(path, 'an integer beyond 2^53, which loses digits (send it as a string)');
  }
  return JSON.stringify(value);
}

function writeArray(items: readonly unknown[], path: string, depth: number): string {
  let out = '[';
  for (let index = 0; index < items.length; index++) {
    if (index > 0) out += ',';
    out += write(items[index], `${path}/${index}`, depth + 1);
  }
  return `${out}]`;
}

function isRecord(object: object): object is Readonly<Record<string, unknown>> {
  const prototype: unknown = Object.getPrototypeOf(object);
  return prototype === Object.prototype || prototype === null;
}

function writeObject(object: object, path: string, depth: number): string {
  if (!isRecord(object)) throw refused(path, `an object of class ${object.constructor?.name ?? 'unknown'}`);
  let out = '{';
  // The default sort compares UTF-16 code units, which is exactly the order RFC 8785 section 3.2.3 asks for.
  for (const key of Object.keys(object).sort()) {
    const at = `${path}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    if (out.length > 1) out += ',';
    out += `${writeString(key, at)}:${write(object[key], at, depth + 1)}`;
  }
  return `${out}}`;
}

function refused(path: string, what: string): WaybillError {
  return new WaybillError(
    'not_canonical',
    `cannot be written as canonical JSON: ${what} at ${path === '' ? 'the top' : path}`,
    {
      hint: 'Only null, booleans, finite numbers, well-formed strings, arrays and plain objects can be recorded.',
      details: { path },
    },
  );
}
