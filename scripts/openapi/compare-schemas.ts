import { isJsonObject, type JsonObject, type JsonValue } from '../../src/contract/json.ts';
import { growingMark } from './components.ts';
import { isList, listAt, objectAt, same } from './json.ts';

/** Which way the value goes: a request may become wider, an answer may become narrower. */
export type Direction = 'request' | 'answer';

interface Pair {
  readonly before: JsonValue | undefined;
  readonly after: JsonValue | undefined;
  readonly direction: Direction;
  /** Where it is, for people. */
  readonly place: string;
}

const lowerBounds = ['minimum', 'exclusiveMinimum', 'minLength', 'minItems', 'minProperties'];
const upperBounds = ['maximum', 'exclusiveMaximum', 'maxLength', 'maxItems', 'maxProperties'];
const compared = [
  ...['$ref', 'anyOf', 'oneOf', 'type', 'properties', 'required', 'additionalProperties', 'items', 'enum', 'const'],
  ...['format', 'pattern', ...lowerBounds, ...upperBounds],
];
const annotations = ['title', 'description', 'examples', 'deprecated', '$comment', growingMark];

/**
 * Compares the schemas of two documents: what a request allowed must still be allowed, and an answer must keep what it
 * promised. A keyword this does not understand must not change at all.
 */
export class SchemaComparison {
  readonly problems: string[] = [];
  schemas = 0;
  fields = 0;
  readonly #before: JsonObject;
  readonly #after: JsonObject;
  readonly #seen = new Set<string>();

  constructor(before: JsonObject, after: JsonObject) {
    this.#before = before;
    this.#after = after;
  }

  compare(pair: Pair): void {
    this.#defaults(pair);
    const refs = [pair.before, pair.after].map((side) => (side !== undefined && isJsonObject(side) ? side.$ref : null));
    if (refs.every((ref) => typeof ref === 'string')) {
      // A shape that is used in many places is looked at once; one that refers to itself would never end.
      const key = JSON.stringify([...refs, pair.direction]);
      if (this.#seen.has(key)) return;
      this.#seen.add(key);
    }
    this.schemas += 1;
    this.#kinds(pair, kindsOf(pair.before, this.#before), kindsOf(pair.after, this.#after));
  }

  /** Compares each alternative with the one that takes its place. */
  #kinds(pair: Pair, before: readonly Kind[], after: readonly Kind[]): void {
    const { direction, place } = pair;
    const left = [...after];
    for (const kind of before) {
      const others = left.filter((each) => each.type === kind.type);
      const match = others.find((each) => each.constants === kind.constants) ?? others[0];
      if (match !== undefined) {
        left.splice(left.indexOf(match), 1);
        this.#sameKind({ ...pair, before: kind.schema, after: match.schema });
      } else if (direction === 'request') this.#report(place, `${kind.type} is not taken any more`);
      else if (kind.type !== 'null') this.#report(place, `${kind.type} never comes any more`);
    }
    if (direction === 'request') return;
    for (const { type } of left) this.#report(place, `${type} can come now`);
  }

  #sameKind(pair: Pair & { readonly before: JsonObject; readonly after: JsonObject }): void {
    this.#names(pair);
    this.#bounds(pair);
    this.#text(pair);
    this.#members(pair);
    const { before, after, place } = pair;
    if (before.items !== undefined || after.items !== undefined) {
      this.compare({ ...pair, before: before.items ?? {}, after: after.items ?? {}, place: `${place}[]` });
    }
    for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
      if (compared.includes(key) || annotations.includes(key) || key === 'default') continue;
      if (!same(before[key], after[key])) this.#report(place, `"${key}" changed`);
    }
  }

  /** What happens without a value is part of what a request means. */
  #defaults({ before, after, direction, place }: Pair): void {
    if (direction === 'answer') return;
    const [was, is] = [before, after].map((side) => (side !== undefined && isJsonObject(side) ? side.default : null));
    if (!same(was, is)) this.#report(place, `the default was ${JSON.stringify(was)} and is ${JSON.stringify(is)}`);
  }

  #names({ before, after, direction, place }: SamePair): void {
    const [were, are] = [namesOf(before), namesOf(after)];
    if (were === undefined && are !== undefined && direction === 'request')
      this.#report(place, 'takes only some names');
    if (were !== undefined && are === undefined && direction === 'answer') this.#report(place, 'can be any name now');
    if (were === undefined || are === undefined) return;
    for (const name of were) {
      if (!are.some((each) => same(each, name))) this.#report(place, `${JSON.stringify(name)} is gone`);
    }
    if (direction === 'request' || before[growingMark] === true) return;
    for (const name of are) {
      if (!were.some((each) => same(each, name))) this.#report(place, `${JSON.stringify(name)} can come now`);
    }
  }

  #bounds({ before, after, direction, place }: SamePair): void {
    const check = (key: string, open: number, sign: 1 | -1) => {
      if (before[key] === after[key]) return;
      const [was, is] = [Number(before[key] ?? open), Number(after[key] ?? open)];
      const tighter = sign * (is - was) > 0;
      if (tighter === (direction === 'request')) this.#report(place, `${key} was ${was} and is ${is}`);
    };
    for (const key of lowerBounds) check(key, Number.NEGATIVE_INFINITY, 1);
    for (const key of upperBounds) check(key, Number.POSITIVE_INFINITY, -1);
  }

  #text({ before, after, direction, place }: SamePair): void {
    for (const key of ['format', 'pattern']) {
      const [was, is] = [before[key], after[key]];
      if (same(was, is)) continue;
      const looser = is === undefined && direction === 'request';
      const tighter = was === undefined && direction === 'answer';
      if (!looser && !tighter) this.#report(place, `${key} was ${was ?? 'open'} and is ${is ?? 'open'}`);
    }
  }

  #members(pair: SamePair): void {
    const { before, after, direction, place } = pair;
    const [were, are] = [objectAt(before, 'properties'), objectAt(after, 'properties')];
    const [needed, needs] = [listAt(before, 'required'), listAt(after, 'required')];
    for (const [name, schema] of Object.entries(were)) {
      this.fields += 1;
      const field = `${place}.${name}`;
      const now = are[name];
      if (now === undefined) this.#report(field, 'is gone');
      else this.compare({ ...pair, before: schema, after: now, place: field });
      if (now === undefined) continue;
      if (direction === 'answer' && needed.includes(name) && !needs.includes(name))
        this.#report(field, 'can be absent');
      if (direction === 'request' && !needed.includes(name) && needs.includes(name))
        this.#report(field, 'is needed now');
    }
    for (const name of Object.keys(are)) {
      if (were[name] === undefined && direction === 'request' && needs.includes(name)) {
        this.#report(`${place}.${name}`, 'is new and needed');
      }
    }
    this.#others(pair);
  }

  /** Members without a name of their own: any, none, or of one shape. */
  #others(pair: SamePair): void {
    const { direction, place } = pair;
    const [before, after] = [pair.before.additionalProperties ?? true, pair.after.additionalProperties ?? true];
    if (isJsonObject(before) && isJsonObject(after)) this.compare({ ...pair, before, after, place: `${place}.*` });
    if (same(before, after) || (isJsonObject(before) && isJsonObject(after))) return;
    const narrower = before === true || after === false;
    if (direction === 'request' && narrower) this.#report(place, 'does not take all other fields any more');
    if (direction === 'answer' && isJsonObject(before)) this.#report(`${place}.*`, 'can be anything now');
  }

  #report(place: string, what: string): void {
    this.problems.push(`${place}: ${what}`);
  }
}

type SamePair = Pair & { readonly before: JsonObject; readonly after: JsonObject };

interface Kind {
  readonly type: string;
  /** The fields that can have one value only: they tell one kind of object from another. */
  readonly constants: string;
  readonly schema: JsonObject;
}

/** The alternatives of a schema, each without `anyOf`, `$ref` or a list of types. */
function kindsOf(schema: JsonValue | undefined, document: JsonObject): Kind[] {
  if (schema === undefined || !isJsonObject(schema)) return [{ type: 'anything', constants: '', schema: {} }];
  if (typeof schema.$ref === 'string') return kindsOf(resolve(schema.$ref, document), document);
  const alternatives = schema.anyOf ?? schema.oneOf;
  if (isList(alternatives)) return alternatives.flatMap((each) => kindsOf(each, document));
  if (isList(schema.type)) return schema.type.flatMap((type) => kindsOf({ ...schema, type }, document));
  const constants = Object.entries(objectAt(schema, 'properties')).flatMap(([name, member]) => {
    return isJsonObject(member) && member.const !== undefined ? [`${name}=${JSON.stringify(member.const)}`] : [];
  });
  const type = typeof schema.type === 'string' ? schema.type : 'anything';
  return [{ type, constants: constants.sort().join(' '), schema }];
}

function resolve(ref: string, document: JsonObject): JsonValue | undefined {
  const name = /^#\/components\/schemas\/([^/]+)$/.exec(ref)?.[1];
  const schema = objectAt(objectAt(document, 'components'), 'schemas')[name ?? ''];
  if (schema === undefined) throw new Error(`${ref} leads nowhere`);
  return schema;
}

function namesOf(schema: JsonObject): readonly JsonValue[] | undefined {
  if (schema.const !== undefined) return [schema.const];
  return isList(schema.enum) ? schema.enum : undefined;
}
