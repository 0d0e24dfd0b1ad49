import { WaybillError } from '../../../contract/errors.ts';
import type { Coordinate } from '../package-types/package-type.ts';

/** A package as a person writes it, with a version or a tag where one was given. */
export interface WrittenCoordinate {
  /** Null when it was not said. */
  readonly type: string | null;
  readonly name: string;
  /** A version or a tag; null when there is none. */
  readonly version: string | null;
}

/** What a type may be called. `versions` is none: addresses have that word where a type stands. */
export const typeShape = /^(?!versions$)[a-z][a-z0-9-]{0,63}$/;
const nameShape = /^@?[^\s@:]+$/;
const versionShape = /^[^\s@:/]+$/;
const longest = 600;

/**
 * Reads `name`, `name@version` or `type:name@version`; a name may have a scope: `@scope/name@1.2.0`. What names and
 * versions may look like beside that is for the type to say.
 * @throws WaybillError `invalid_argument`
 */
export function parseCoordinate(text: string): WrittenCoordinate {
  const colon = text.indexOf(':');
  const type = colon === -1 ? null : text.slice(0, colon);
  const rest = text.slice(colon + 1);
  // The `@` of a scope is the first character; the one before a version never is.
  const at = rest.lastIndexOf('@');
  const name = at > 0 ? rest.slice(0, at) : rest;
  const version = at > 0 ? rest.slice(at + 1) : null;
  const fits =
    text.length <= longest &&
    (type === null || typeShape.test(type)) &&
    nameShape.test(name) &&
    (version === null || versionShape.test(version));
  if (fits) return { type, name, version };
  throw new WaybillError('invalid_argument', `this names no package: ${JSON.stringify(text.slice(0, 160))}`, {
    hint: 'Write NAME@VERSION, or TYPE:NAME@VERSION, as npm:@scope/tool@1.2.0.',
  });
}

/** `type:name@version`, which `parseCoordinate` reads again. */
export function formatCoordinate({ type, name, version }: Coordinate): string {
  return `${type}:${name}@${version}`;
}
