import { isJsonObject, type JsonObject, type JsonValue } from '../../src/contract/json.ts';

/** The member as an object; empty when there is none. */
export function objectAt(parent: JsonObject, key: string): JsonObject {
  const value = parent[key];
  return value !== undefined && isJsonObject(value) ? value : {};
}

/** The member as a list; empty when there is none. */
export function listAt(parent: JsonObject, key: string): readonly JsonValue[] {
  const value = parent[key];
  return isList(value) ? value : [];
}

export function isList(value: JsonValue | undefined): value is readonly JsonValue[] {
  return Array.isArray(value);
}

export function same(a: JsonValue | undefined, b: JsonValue | undefined): boolean {
  if (typeof a !== 'object' || typeof b !== 'object') return a === b;
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}

export type Path = readonly (string | number)[];

/**
 * A copy of the document with one place changed; `change` gets what is there, and undefined takes the place out.
 * @throws Error when the way to the place does not exist: a change that changes nothing proves nothing.
 */
export function changed(
  value: JsonValue | undefined,
  path: Path,
  change: (value: JsonValue | undefined) => JsonValue | undefined,
): JsonValue | undefined {
  const [key, ...rest] = path;
  if (key === undefined) return change(value);
  if (typeof key === 'number' && isList(value)) {
    const member = changed(value[key], rest, change);
    return value.flatMap((each, index) => (index !== key ? [each] : member === undefined ? [] : [member]));
  }
  if (value === undefined || !isJsonObject(value)) throw new Error(`there is nothing at ${path.join(' ')}`);
  const member = changed(value[key], rest, change);
  if (member !== undefined) return { ...value, [key]: member };
  const { [key]: _, ...others } = value;
  return others;
}
