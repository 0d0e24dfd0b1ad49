import { isJsonObject, type JsonObject, type JsonValue } from '../../src/contract/json.ts';
import { type Direction, SchemaComparison } from './compare-schemas.ts';
import { listAt, objectAt, same } from './json.ts';

export interface Comparison {
  /** What a client of the older document cannot live with. */
  readonly problems: readonly string[];
  readonly counts: { readonly operations: number; readonly schemas: number; readonly fields: number };
}

/**
 * What in the newer document breaks a client of the older one.
 *
 * Breaking is whatever is taken away, renamed or changed: a route, its operation id, role, status, media type,
 * parameter, header, field, a value of a list, a type, a format; in a request also what becomes needed or narrower, in
 * an answer what becomes optional or wider. Allowed are new routes, new problems, new parameters and fields that need
 * not be given, wider requests, and new fields in answers. A new value in an answer is allowed only in a list that is
 * said to grow (`x-waybill-growing`).
 */
export function compareDocuments(before: JsonObject, after: JsonObject): Comparison {
  const schemas = new SchemaComparison(before, after);
  const comparison = new DocumentComparison(before, after, schemas);
  const operations = comparison.compare();
  return {
    problems: [...comparison.problems, ...schemas.problems],
    counts: { operations, schemas: schemas.schemas, fields: schemas.fields },
  };
}

const methods = ['get', 'head', 'post', 'put', 'patch', 'delete'];

class DocumentComparison {
  readonly problems: string[] = [];
  readonly #before: JsonObject;
  readonly #after: JsonObject;
  readonly #schemas: SchemaComparison;

  constructor(before: JsonObject, after: JsonObject, schemas: SchemaComparison) {
    this.#before = before;
    this.#after = after;
    this.#schemas = schemas;
  }

  /** @returns how many operations there were to compare */
  compare(): number {
    let operations = 0;
    const paths = objectAt(this.#after, 'paths');
    for (const [path, item] of Object.entries(objectAt(this.#before, 'paths'))) {
      if (!isJsonObject(item)) continue;
      for (const method of methods.filter((each) => item[each] !== undefined)) {
        operations += 1;
        const place = `${method.toUpperCase()} ${path}`;
        if (objectAt(paths, path)[method] === undefined) this.#report(place, 'is gone');
        else this.#operation(place, objectAt(item, method), objectAt(objectAt(paths, path), method));
      }
    }
    const schemes = [this.#before, this.#after].map((each) =>
      objectAt(objectAt(each, 'components'), 'securitySchemes'),
    );
    for (const name of Object.keys(schemes[0] ?? {})) {
      const [was, is] = schemes.map((each) => ({ ...objectAt(each, name), description: '' }));
      if (!same(was, is)) this.#report(`the way in "${name}"`, 'changed');
    }
    return operations;
  }

  #operation(place: string, before: JsonObject, after: JsonObject): void {
    for (const key of ['operationId', 'x-waybill-role']) {
      if (!same(before[key], after[key])) this.#report(place, `${key} was ${before[key]} and is ${after[key]}`);
    }
    const security = [before.security ?? this.#before.security, after.security ?? this.#after.security];
    if (!same(security[0], security[1])) this.#report(place, 'asks for another way in');
    this.#parameters(place, before, after);
    this.#body(place, before, after);
    this.#responses(place, before, after);
    this.#codes(place, before, after);
  }

  #parameters(place: string, before: JsonObject, after: JsonObject): void {
    const [were, are] = [parametersOf(before), parametersOf(after)];
    for (const [name, parameter] of were) {
      const now = are.get(name);
      if (now === undefined) {
        this.#report(`${place} ${name}`, 'is gone');
        continue;
      }
      if (parameter.required !== true && now.required === true) this.#report(`${place} ${name}`, 'is needed now');
      this.#schema('request', `${place} ${name}`, parameter, now);
    }
    for (const [name, parameter] of are) {
      if (!were.has(name) && parameter.required === true) this.#report(`${place} ${name}`, 'is new and needed');
    }
  }

  #body(place: string, before: JsonObject, after: JsonObject): void {
    const [was, is] = [objectAt(before, 'requestBody'), objectAt(after, 'requestBody')];
    if (was.required !== true && is.required === true) this.#report(`${place} body`, 'is needed now');
    this.#content('request', `${place} body`, was, is);
  }

  #responses(place: string, before: JsonObject, after: JsonObject): void {
    const [were, are] = [objectAt(before, 'responses'), objectAt(after, 'responses')];
    for (const status of Object.keys(were)) {
      const [was, is] = [objectAt(were, status), objectAt(are, status)];
      if (are[status] === undefined) this.#report(`${place} ${status}`, 'is answered no more');
      else this.#content('answer', `${place} ${status}`, was, is);
      if (are[status] !== undefined)
        this.#headers(`${place} ${status}`, objectAt(was, 'headers'), objectAt(is, 'headers'));
    }
    for (const status of Object.keys(are)) {
      // A new problem is met by whoever can meet one; a new way to succeed is not.
      if (were[status] === undefined && Number(status) < 400) this.#report(`${place} ${status}`, 'is a new answer');
    }
  }

  #headers(place: string, before: JsonObject, after: JsonObject): void {
    for (const name of Object.keys(before)) {
      const header = `${place} header ${name}`;
      if (after[name] === undefined) this.#report(header, 'is gone');
      else this.#schema('answer', header, objectAt(before, name), objectAt(after, name));
      if (objectAt(before, name).required === true && objectAt(after, name).required !== true) {
        this.#report(header, 'can be absent');
      }
    }
  }

  /** A code keeps its status; it may also come with fewer routes. */
  #codes(place: string, before: JsonObject, after: JsonObject): void {
    const now = codesOf(after);
    for (const [code, status] of codesOf(before)) {
      const other = now.get(code);
      if (other !== undefined && other !== status) this.#report(place, `${code} was ${status} and is ${other}`);
    }
  }

  #content(direction: Direction, place: string, before: JsonObject, after: JsonObject): void {
    const [were, are] = [objectAt(before, 'content'), objectAt(after, 'content')];
    for (const type of Object.keys(were)) {
      if (are[type] === undefined) this.#report(`${place} ${type}`, 'is gone');
      else this.#schema(direction, `${place} ${type}`, objectAt(were, type), objectAt(are, type));
    }
    if (direction === 'answer' && Object.keys(were).length === 0 && Object.keys(are).length > 0) {
      this.#report(place, 'was empty and has a body');
    }
  }

  /** Compares the schemas of two things that have one each. */
  #schema(direction: Direction, place: string, before: JsonObject, after: JsonObject): void {
    this.#schemas.compare({ direction, place, before: before.schema, after: after.schema });
  }

  #report(place: string, what: string): void {
    this.problems.push(`${place}: ${what}`);
  }
}

/** The parameters of an operation, by where they stand and their name; names of headers are written small. */
function parametersOf(operation: JsonObject): Map<string, JsonObject> {
  const parameters = listAt(operation, 'parameters').filter(isJsonObject);
  return new Map(parameters.map((each) => [`${each.in} ${each.name}`, each]));
}

/** The status of each code of an operation. */
function codesOf(operation: JsonObject): Map<JsonValue, string> {
  const responses = objectAt(operation, 'responses');
  return new Map(
    Object.keys(responses).flatMap((status) =>
      listAt(objectAt(responses, status), 'x-waybill-codes').map((code) => [code, status] as const),
    ),
  );
}
