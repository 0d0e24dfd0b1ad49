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
  try {
    return write(value, 0);
  } catch (error) {
    // Where it was is worked out only now: a path for every member of every good value would cost more than the rest.
    if (error instanceof Refusal) throw refused(error.path, error.what);
    throw error;
  }
}

const deepest = 512;

/** What cannot be written; the path grows from its end while the refusal passes the containers. */
class Refusal {
  path = '';
  readonly what: string;
  constructor(what: string) {
    this.what = what;
  }
  inside(key: string | number): this {
    this.path = `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}${this.path}`;
    return this;
  }
}

function write(value: unknown, depth: number): string {
  switch (typeof value) {
    case 'string':
      return writeString(value);
    case 'number':
      return writeNumber(value);
    case 'boolean':
      return value ? 'true' : 'false';
    case 'object':
      if (value === null) return 'null';
      if (depth >= deepest) throw new Refusal(`nested deeper than ${deepest}, or a cycle`);
      return Array.isArray(value) ? writeArray(value, depth) : writeObject(value, depth);
    default:
      throw new Refusal(`a value of type ${typeof value}`);
  }
}

function writeString(text: string): string {
  if (plainString.test(text)) return `"${text}"`;
  if (!text.isWellFormed()) throw new Refusal('a string with a lone surrogate');
  return JSON.stringify(text);
}

function writeNumber(value: number): string {
  if (!Number.isFinite(value)) throw new Refusal(`the number ${value}`);
  if (Number.isInteger(value) && Math.abs(value) > Number.MAX_SAFE_INTEGER && Math.abs(value) < 1e21) {
    throw new Refusal('an integer beyond 2^53, which loses digits (send it as a string)');
  }
  return JSON.stringify(value);
}

function writeArray(items: readonly unknown[], depth: number): string {
  let out = '[';
  let index = 0;
  try {
    for (; index < items.length; index++) {
      if (index > 0) out += ',';
      out += write(items[index], depth + 1);
    }
  } catch (error) {
    throw error instanceof Refusal ? error.inside(index) : error;
  }
  return `${out}]`;
}

function isRecord(object: object): object is Readonly<Record<string, unknown>> {
  const prototype: unknown = Object.getPrototypeOf(object);
  return prototype === Object.prototype || prototype === null;
}

function writeObject(object: object, depth: number): string {
  if (!isRecord(object)) throw new Refusal(`an object of class ${object.constructor?.name ?? 'unknown'}`);
  let out = '{';
  let at = '';
  try {
    // The default sort compares UTF-16 code units, which is exactly the order RFC 8785 section 3.2.3 asks for.
    for (const key of Object.keys(object).sort()) {
      at = key;
      out += `${out.length > 1 ? ',' : ''}${writeString(key)}:${write(object[key], depth + 1)}`;
    }
  } catch (error) {
    throw error instanceof Refusal ? error.inside(at) : error;
  }
  return `${out}}`;
}

/** A cycle gives a path of 512 members; its beginning says where to look. */
const longestPath = 200;

function refused(full: string, what: string): WaybillError {
  const path = full.length > longestPath ? `${full.slice(0, longestPath).toWellFormed()}...` : full;
  const where = path === '' ? 'the top' : path;
  return new WaybillError('not_canonical', `cannot be written as canonical JSON: ${what} at ${where}`, {
    hint: 'Only null, booleans, finite numbers, well-formed strings, arrays and plain objects can be recorded.',
    details: { path },
  });
}
