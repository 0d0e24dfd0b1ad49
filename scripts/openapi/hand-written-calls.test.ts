import { expect, test } from 'vitest';
import { findCalls, judgeCalls } from './hand-written-calls.ts';

test('D23 a hand-written call is found in every form, with its line', () => {
  const found = (source: string) => findCalls('src/surfaces/cli/commands/submit.ts', source).join('\n');
  expect(found('const a = 1;\nawait fetch(url);')).toMatch(/submit\.ts:2: a call of fetch/);
  expect(found(`get("/v1/runs");`)).toMatch(/the path of a route/);
  expect(found('get(`http://127.0.0.1:7001/v1/runs/' + '${' + 'id}`);')).toMatch(/the path of a route/);
  expect(found("import * as http from 'http';")).toMatch(/the module "http"/);
  expect(found("export { request } from 'node:https';")).toMatch(/the module "node:https"/);
  expect(found("const { request } = await import('undici');")).toMatch(/the module "undici"/);
  expect(found("// fetch('/v1/runs')\nimport a from './schemas/v1/a.json';\nclient.runs.submit({});")).toBe('');
  expect(() => found('const = 1')).toThrow(/does not parse/);
});

test('D23 the client, the server, the contract and tests may; the rest of the program may not', () => {
  const source = "await fetch('/v1/runs');";
  const homes = [
    'src/sdk/client/a.ts',
    'src/surfaces/http/a.ts',
    'src/contract/api/a.ts',
    'test/a.ts',
    'src/views/a.test.ts',
  ];
  const files = [...homes, 'src/surfaces/cli/a.ts', 'examples/a.ts'].map((path) => ({ path, source }));
  const { counts, problems } = judgeCalls(files);
  expect(counts.files).toBe(2);
  expect(counts.canaries).toBeGreaterThan(5);
  expect(problems.map((problem) => problem.split(':')[0])).toEqual([
    ...['src/surfaces/cli/a.ts', 'src/surfaces/cli/a.ts'],
    ...['examples/a.ts', 'examples/a.ts'],
  ]);
});
