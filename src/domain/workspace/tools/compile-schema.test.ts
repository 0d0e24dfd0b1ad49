import { expect, test } from 'vitest';
import type { JsonObject } from '../../../contract/json.ts';
import { compileSchema } from './compile-schema.ts';

const draft07 = 'http://json-schema.org/draft-07/schema#';

test('a value that fits has no problems, any other each with its path', async () => {
  const check = await compileSchema({
    type: 'object',
    required: ['name', 'kind'],
    additionalProperties: false,
    properties: {
      name: { type: 'string', minLength: 1 },
      kind: { enum: ['a', 'b'] },
      'odd key/~': { type: 'array', items: { type: 'object', properties: { n: { type: 'integer' } } } },
      mail: { type: 'string', format: 'email' },
    },
  });
  expect(check({ name: 'x', kind: 'a', mail: 'a@b.test' })).toEqual([]);
  const secret = 'hunter2';
  const problems = check({ name: 1, mail: secret, extra: secret, 'odd key/~': [{ n: 1 }, { n: secret }] });
  expect(problems.toSorted((a, b) => (a.path < b.path ? -1 : 1))).toEqual([
    { path: '["odd key/~"][1].n', message: 'must be integer' },
    { path: 'extra', message: 'is not a known member' },
    { path: 'kind', message: 'is missing' },
    { path: 'mail', message: 'must match format "email"' },
    { path: 'name', message: 'must be string' },
  ]);
  expect(JSON.stringify(problems)).not.toContain(secret);
  expect(check({ name: 'x', kind: 'c' })).toEqual([{ path: 'kind', message: 'must be one of ["a","b"]' }]);
  expect(check([])).toEqual([{ path: '', message: 'must be object' }]);
});

test('both drafts mean what they say: items and prefixItems, dependencies', async () => {
  const tuple07 = await compileSchema({
    $schema: draft07,
    type: 'array',
    items: [{ type: 'string' }],
    additionalItems: false,
  });
  expect(tuple07(['a'])).toEqual([]);
  expect(tuple07([1])).toEqual([{ path: '[0]', message: 'must be string' }]);
  const tuple2020 = await compileSchema({
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    type: 'array',
    prefixItems: [{ type: 'string' }],
    items: false,
  });
  expect(tuple2020(['a'])).toEqual([]);
  expect(tuple2020(['a', 'b'])).toHaveLength(1);
});

const broken: readonly (readonly [string, JsonObject, RegExp])[] = [
  ['a keyword with a typo', { type: 'object', propertys: {} }, /unknown keyword: "propertys"/],
  ['a type with a typo', { type: 'strng' }, /type must be equal to one of the allowed values/],
  ['a format with a typo', { type: 'string', format: 'emial' }, /unknown format "emial"/],
  ['a reference to elsewhere', { $ref: 'https://schemas.test/x.json' }, /can't resolve reference/],
  ['a reference to nothing', { $ref: '#/$defs/nope' }, /can't resolve reference/],
  ['a pattern that is none', { type: 'string', pattern: '(' }, /Invalid regular expression/],
  ['a draft nobody knows', { $schema: 'http://json-schema.org/draft-04/schema#' }, /only the drafts 2020-12 and 07/],
  ['an asynchronous schema', { $async: true, type: 'string' }, /\$async/],
];
test.each(broken)('a schema with %s is refused', async (_, schema, message) => {
  await expect(compileSchema(schema)).rejects.toThrow(message);
  await expect(compileSchema({ $schema: draft07, ...schema })).rejects.toThrow(message);
});

test('schemas that are true or false, that refer to themselves, and two with one $id', async () => {
  expect((await compileSchema(true))({ any: 1 })).toEqual([]);
  expect((await compileSchema(false))(null)).toHaveLength(1);
  const list = await compileSchema({
    type: 'object',
    properties: { next: { $ref: '#' } },
    additionalProperties: false,
  });
  expect(list({ next: { next: {} } })).toEqual([]);
  expect(list({ next: { next: { x: 1 } } })).toEqual([{ path: 'next.next.x', message: 'is not a known member' }]);
  const $id = 'https://schemas.test/same';
  expect((await compileSchema({ $id, type: 'string' }))('a')).toEqual([]);
  expect((await compileSchema({ $id, type: 'number' }))('a')).toHaveLength(1);
});

test('a value as deep as its schema lets it be is told, not thrown', async () => {
  const check = await compileSchema({ type: 'array', items: { $ref: '#' } });
  expect(check(JSON.parse(`${'['.repeat(200_000)}${']'.repeat(200_000)}`))).toEqual([
    { path: '', message: 'is nested too deeply' },
  ]);
});
