import type { ErrorObject, Options } from 'ajv';
import type { JsonObject, JsonValue } from '../../../contract/json.ts';
import { pathText } from '../../../contract/shape-problems.ts';

export interface SchemaProblem {
  /** Where in the value: `items[0].name`; '' is the whole. */
  readonly path: string;
  readonly message: string;
}

/** The problems of a value, at most 50; none when it fits. */
export type SchemaCheck = (value: JsonValue) => readonly SchemaProblem[];

const mostProblems = 50;

/** Unknown keywords and formats are refused, because they are typos; what JSON Schema allows is not. */
const options = {
  allErrors: true,
  strictSchema: true,
  strictTypes: false,
  strictTuples: false,
  strictRequired: false,
  logger: false,
} as const satisfies Options;

/**
 * Compiles a JSON Schema of the draft 2020-12 (also when it names none) or 07. Nothing is loaded from elsewhere: a
 * reference that leads out of the schema is an error. Its patterns are its author's: they are run as they are.
 * @throws Error whose message says what is wrong with the schema
 */
export async function compileSchema(schema: boolean | JsonObject): Promise<SchemaCheck> {
  const draft = draftOf(schema);
  const { validateSchema, create } = await (draft === '07' ? draft07() : draft2020());
  validateSchema(schema);
  // An instance of its own: two versions of a tool may give the same `$id`, and nothing is kept of an old one.
  const validate = create().compile(schema);
  if ('$async' in validate) throw new Error('"$async" is not a keyword of JSON Schema');
  return (value) => {
    try {
      return validate(value)
        ? []
        : (validate.errors ?? []).slice(0, mostProblems).map((each) => problemOf(each, value));
    } catch (error) {
      // A schema that refers to itself walks as deep as the value is.
      if (error instanceof RangeError) return [{ path: '', message: 'is nested too deeply' }];
      throw error;
    }
  };
}

function draftOf(schema: boolean | JsonObject): '2020-12' | '07' {
  const named = typeof schema === 'boolean' ? undefined : schema.$schema;
  if (named === undefined) return '2020-12';
  const address = String(named).replace(/#$/, '');
  if (address === 'https://json-schema.org/draft/2020-12/schema') return '2020-12';
  if (/^https?:\/\/json-schema\.org\/draft-07\/schema$/.test(address)) return '07';
  throw new Error(`"$schema" names ${JSON.stringify(named)}; only the drafts 2020-12 and 07 are known`);
}

// Ajv is large: imported with the first schema, so that a start without tools does not wait for it.
const draft2020 = once(async () => {
  const [{ Ajv2020 }, { default: formats }] = await Promise.all([import('ajv/dist/2020.js'), import('ajv-formats')]);
  const whole = new Ajv2020(options);
  return {
    validateSchema: (schema: boolean | JsonObject) => void whole.validateSchema(schema, true),
    create: () => formats.default(new Ajv2020({ ...options, meta: false, validateSchema: false })),
  };
});

const draft07 = once(async () => {
  const [{ Ajv }, { default: formats }] = await Promise.all([import('ajv'), import('ajv-formats')]);
  const whole = new Ajv(options);
  return {
    validateSchema: (schema: boolean | JsonObject) => void whole.validateSchema(schema, true),
    create: () => formats.default(new Ajv({ ...options, meta: false, validateSchema: false })),
  };
});

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

/** Never the value itself: it may be a secret, and the message is stored. */
function problemOf(error: ErrorObject, value: JsonValue): SchemaProblem {
  const parts = partsOf(error.instancePath, value);
  const params: Readonly<Record<string, unknown>> = error.params;
  switch (error.keyword) {
    case 'required':
      return { path: pathText([...parts, String(params.missingProperty)]), message: 'is missing' };
    case 'additionalProperties':
      return { path: pathText([...parts, String(params.additionalProperty)]), message: 'is not a known member' };
    case 'unevaluatedProperties':
      return { path: pathText([...parts, String(params.unevaluatedProperty)]), message: 'is not a known member' };
    case 'enum':
      return { path: pathText(parts), message: `must be one of ${JSON.stringify(params.allowedValues).slice(0, 300)}` };
    default:
      return { path: pathText(parts), message: error.message ?? `does not fit "${error.keyword}"` };
  }
}

/** A JSON pointer (RFC 6901) as members and indexes: which of the two a digit is, the value tells. */
function partsOf(pointer: string, value: unknown): (string | number)[] {
  const parts: (string | number)[] = [];
  let at = value;
  for (const raw of pointer.split('/').slice(1)) {
    const key = raw.replaceAll('~1', '/').replaceAll('~0', '~');
    parts.push(Array.isArray(at) ? Number(key) : key);
    at = typeof at === 'object' && at !== null ? Reflect.get(at, key) : undefined;
  }
  return parts;
}
