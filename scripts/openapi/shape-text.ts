import { isJsonObject, type JsonObject, type JsonValue } from '../../src/contract/json.ts';
import { isList, listAt, objectAt } from './json.ts';

/** A longer list of words has a table of its own. */
const mostWords = 50;

/** A JSON Schema in short, as a TypeScript type: `{ runId: string; tool: string | null }`. Named shapes by their name. */
export function shapeText(schema: JsonValue | undefined): string {
  if (schema === undefined || !isJsonObject(schema)) return 'unknown';
  if (typeof schema.$ref === 'string') return schema.$ref.split('/').at(-1) ?? 'unknown';
  if (schema.const !== undefined) return JSON.stringify(schema.const).replaceAll('"', "'");
  const alternatives = schema.anyOf ?? schema.oneOf;
  if (isList(alternatives)) return [...new Set(alternatives.map(shapeText))].join(' | ');
  if (isList(schema.enum) && schema.enum.length > mostWords) return 'string';
  if (isList(schema.enum)) return schema.enum.map((value) => `'${value}'`).join(' | ');
  if (isList(schema.type)) return schema.type.map((type) => shapeText({ ...schema, type })).join(' | ');
  if (schema.format === 'binary') return 'bytes';
  switch (schema.type) {
    case 'integer':
      return 'number';
    case 'array':
      return listText(shapeText(schema.items));
    case 'object':
      return objectText(schema);
    default:
      return typeof schema.type === 'string' ? schema.type : 'unknown';
  }
}

function listText(item: string): string {
  return /[ |]/.test(item) && !item.startsWith('{') ? `(${item})[]` : `${item}[]`;
}

function objectText(schema: JsonObject): string {
  const fields = fieldsOf(schema).map(({ name, needed, type }) => `${name}${needed ? '' : '?'}: ${type}`);
  if (fields.length > 0) return `{ ${fields.join('; ')} }`;
  const others = schema.additionalProperties;
  return others !== undefined && isJsonObject(others) ? `{ [name: string]: ${shapeText(others)} }` : '{}';
}

export interface Field {
  readonly name: string;
  readonly needed: boolean;
  readonly type: string;
  /** What the contract says of it; empty when that is nothing. */
  readonly meaning: string;
}

/** The fields of an object, in the order of the contract. */
export function fieldsOf(schema: JsonObject): Field[] {
  const needed = listAt(schema, 'required');
  return Object.entries(objectAt(schema, 'properties')).map(([name, member]) => ({
    name,
    needed: needed.includes(name),
    type: shapeText(member),
    meaning: isJsonObject(member) ? meaningOf(member) : '',
  }));
}

/** The description of a schema with its limits: `Higher goes first. -100 to 100, 0 unless given.` */
export function meaningOf(schema: JsonObject): string {
  const { minimum, maximum, description, default: otherwise } = schema;
  const range = typeof maximum === 'number' ? `${minimum ?? 'up'} to ${maximum}` : '';
  const without = otherwise === undefined ? '' : `\`${JSON.stringify(otherwise)}\` unless given`;
  const limits = [range, without].filter((part) => part !== '').join(', ');
  return [description, limits === '' ? undefined : `${limits}.`].filter((part) => part !== undefined).join(' ');
}
