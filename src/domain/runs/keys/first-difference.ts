import type { JsonValue } from '../../../contract/json.ts';

export interface Difference {
  /** JSON pointer; empty for the value as a whole. */
  readonly path: string;
  /** Short text of each side; `(absent)` where one has no such member. */
  readonly left: string;
  readonly right: string;
}

/** The first place, in key order, where two JSON values differ; undefined when they are equal. */
export function firstDifference(
  left: JsonValue | undefined,
  right: JsonValue | undefined,
  path = '',
): Difference | undefined {
  if (isObject(left) && isObject(right)) {
    for (const key of [...new Set([...Object.keys(left), ...Object.keys(right)])].sort()) {
      const found = firstDifference(
        left[key],
        right[key],
        `${path}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`,
      );
      if (found !== undefined) return found;
    }
    return undefined;
  }
  if (isList(left) && isList(right)) {
    for (let index = 0; index < Math.max(left.length, right.length); index++) {
      const found = firstDifference(left[index], right[index], `${path}/${index}`);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  if (left === right) return undefined;
  return { path, left: short(left), right: short(right) };
}

function isList(value: JsonValue | undefined): value is readonly JsonValue[] {
  return Array.isArray(value);
}

function isObject(value: JsonValue | undefined): value is Readonly<Record<string, JsonValue>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function short(value: JsonValue | undefined): string {
  if (value === undefined) return '(absent)';
  const text = JSON.stringify(value);
  return text.length <= 120 ? text : `${text.slice(0, 117)}...`;
}
