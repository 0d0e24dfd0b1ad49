import { isJsonObject, type JsonObject, type JsonValue } from '../../src/contract/json.ts';
import { listAt, objectAt } from './json.ts';

/** What is wrong with a document in itself: a reference to nowhere, a shape nobody uses, an undeclared parameter. */
export function structureProblems(document: JsonObject): string[] {
  const problems: string[] = [];
  const schemas = objectAt(objectAt(document, 'components'), 'schemas');
  const named = new Set(referencesIn(document));
  for (const name of named) if (schemas[name] === undefined) problems.push(`${name} is referred to and not there`);
  for (const name of Object.keys(schemas)) if (!named.has(name)) problems.push(`${name} is there and used by nobody`);

  const tags = listAt(document, 'tags').map((tag) => (isJsonObject(tag) ? tag.name : tag));
  const ids = new Set<JsonValue>();
  for (const [path, item] of Object.entries(objectAt(document, 'paths'))) {
    for (const [method, operation] of Object.entries(isJsonObject(item) ? item : {})) {
      if (!isJsonObject(operation)) continue;
      const place = `${method.toUpperCase()} ${path}`;
      const id = operation.operationId ?? null;
      if (typeof id !== 'string' || ids.has(id)) problems.push(`${place} has no operation id of its own`);
      ids.add(id);
      if (typeof operation.summary !== 'string') problems.push(`${place} has no summary`);
      for (const tag of listAt(operation, 'tags'))
        if (!tags.includes(tag)) problems.push(`${place}: unknown tag ${tag}`);
      const statuses = Object.keys(objectAt(operation, 'responses'));
      if (!statuses.some((status) => status.startsWith('2'))) problems.push(`${place} never succeeds`);
      problems.push(...parameterProblems(place, path, operation));
    }
  }
  return problems;
}

function parameterProblems(place: string, path: string, operation: JsonObject): string[] {
  const parameters = listAt(operation, 'parameters').filter(isJsonObject);
  const declared = parameters.filter((each) => each.in === 'path').map((each) => `${each.name}`);
  const used = [...path.matchAll(/\{([^}]+)\}/g)].map(([, name = '']) => name);
  return [
    ...used.filter((name) => !declared.includes(name)).map((name) => `${place} does not declare {${name}}`),
    ...declared.filter((name) => !used.includes(name)).map((name) => `${place} declares ${name}, which is not in it`),
    ...parameters
      .filter((each) => each.in === 'path' && each.required !== true)
      .map((each) => `${place}: {${each.name}} must be required`),
  ];
}

function referencesIn(value: JsonValue): string[] {
  if (typeof value !== 'object' || value === null) return [];
  const own = isJsonObject(value) && typeof value.$ref === 'string' ? [value.$ref.split('/').at(-1) ?? ''] : [];
  return [...own, ...Object.values(value).flatMap(referencesIn)];
}
