import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { toolDetailSchema, toolListSchema } from '../../../contract/api/tools.ts';
import { parseConfiguration } from '../../../contract/configuration.ts';
import type { ToolDescriptionInput } from '../../../contract/tool.ts';
import { canonicalJson } from '../../../platform/canonical-json/canonical-json.ts';
import { digestOf } from '../../../platform/digests/digest.ts';
import { createToolCatalog, type ToolCatalog } from './tool-catalog.ts';

let root = '';
let outside = '';
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'waybill-tools-')));
  outside = realpathSync(mkdtempSync(join(tmpdir(), 'waybill-outside-')));
});
afterEach(() => {
  rmSync(root, { recursive: true, force: true });
  rmSync(outside, { recursive: true, force: true });
});

const catalog = (settings = {}): ToolCatalog =>
  createToolCatalog({ root, configurationPath: null }, parseConfiguration(settings));

function write(path: string, text: string | Uint8Array, mode = 0o644): void {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text, { mode });
}

function description(id: string, changes: object = {}): ToolDescriptionInput & { readonly [key: string]: unknown } {
  return {
    schema: 'waybill.tool.v1',
    id,
    version: '1.0.0',
    title: `The tool ${id}`,
    description: 'Does what it says.',
    kind: 'command',
    command: ['node', '--version'],
    inputSchema: { type: 'object', properties: { n: { type: 'integer' } }, additionalProperties: false },
    outputSchema: { type: 'string' },
    sideEffects: 'none',
    ...changes,
  };
}

function describeTool(id: string, changes: object = {}): string {
  const text = JSON.stringify(description(id, changes));
  write(`waybill.tools/${id}/tool.json`, text);
  return text;
}

test('D19 list gives summaries in order, get gives everything, the schemas and their digests included', async () => {
  const text = describeTool('beta');
  describeTool('alpha', { kind: 'function', command: undefined, module: 'main.ts', permissions: ['network'] });
  write('waybill.tools/alpha/main.ts', 'export default () => null;');
  write('waybill.tools/README.md', 'not a tool');
  write('waybill.tools/.hidden/x', '');
  write('waybill.tools/node_modules/x/package.json', '{}');
  const tools = catalog();
  const list = toolListSchema.parse(await tools.list());
  expect(list).toEqual({
    tools: [
      expect.objectContaining({ id: 'alpha', kind: 'function', available: true, reason: null }),
      expect.objectContaining({ id: 'beta', title: 'The tool beta', version: '1.0.0', sideEffects: 'none' }),
    ],
    invalid: [],
  });
  const detail = toolDetailSchema.parse(await tools.detail('beta'));
  const given = description('beta');
  expect(detail).toMatchObject({
    id: 'beta',
    descriptor: { ...given, timeoutMs: 600_000, allowEnv: [], artifacts: [], retries: 0 },
    descriptionDigest: digestOf(text),
    inputSchemaDigest: digestOf(canonicalJson(given.inputSchema)),
    outputSchemaDigest: digestOf(canonicalJson(given.outputSchema)),
  });
  const tool = await tools.find('beta');
  expect(tool.inputProblems({ n: 1 })).toEqual([]);
  expect(
    tool
      .inputProblems({ n: 'x', m: 1 })
      .map(({ path }) => path)
      .toSorted(),
  ).toEqual(['m', 'n']);
  expect(tool.outputProblems(1)).toEqual([{ path: '', message: 'must be string' }]);
});

const wrong: readonly (readonly [string, (id: string) => void, RegExp])[] = [
  ['nothing in its folder', (id) => mkdirSync(join(root, 'waybill.tools', id), { recursive: true }), /no such file/],
  ['text that is not JSON', (id) => write(`waybill.tools/${id}/tool.json`, '{\n  "id": x\n}'), /line 2, column 9/],
  [
    'a key that is there twice',
    (id) => write(`waybill.tools/${id}/tool.json`, '{"id": 1, "id": 2}'),
    /"id" is there twice/,
  ],
  [
    'bytes that are not UTF-8',
    (id) => write(`waybill.tools/${id}/tool.json`, Buffer.from([0x22, 0xff, 0x22])),
    /not UTF-8/,
  ],
  [
    'a description of 2 MiB',
    (id) => describeTool(id, { description: 'x'.repeat(2 << 20) }),
    /larger than 1048576 bytes/,
  ],
  [
    'a folder for a file',
    (id) => mkdirSync(join(root, 'waybill.tools', id, 'tool.json'), { recursive: true }),
    /not a regular file/,
  ],
  [
    'members missing and unknown',
    (id) => describeTool(id, { title: undefined, tilte: 'x' }),
    /title: .*tilte: is not a known setting/,
  ],
  ['the id of another', (id) => describeTool(id, { id: 'other' }), /id: is "other", but the folder is named/],
  ['a command without a program', (id) => describeTool(id, { command: undefined }), /command: is needed/],
  ['a typo in the input schema', (id) => describeTool(id, { inputSchema: { typ: 'object' } }), /inputSchema: .*"typ"/],
  [
    'a remote output schema',
    (id) => describeTool(id, { outputSchema: { $ref: 'https://x.test/a' } }),
    /outputSchema: can't resolve/,
  ],
];
test.each(wrong)('D19 %s: reported with file and reason, never skipped, never used', async (_, make, reason) => {
  make('bad');
  describeTool('good');
  const tools = catalog();
  const list = await tools.list();
  expect(list.tools.map(({ id }) => id)).toEqual(['good']);
  expect(list.invalid).toEqual([{ file: 'waybill.tools/bad/tool.json', reason: expect.stringMatching(reason) }]);
  for (const ask of [tools.find, tools.detail]) {
    await expect(ask('bad')).rejects.toMatchObject({
      code: 'tool_invalid',
      message: expect.stringContaining('waybill.tools/bad/tool.json'),
      details: { file: 'waybill.tools/bad/tool.json', reason: expect.stringMatching(reason) },
    });
  }
});

test('D19 a link that leads out of the workspace is refused, one that stays inside is followed', async () => {
  writeFileSync(join(outside, 'tool.json'), JSON.stringify(description('away')));
  mkdirSync(join(root, 'waybill.tools'), { recursive: true });
  symlinkSync(outside, join(root, 'waybill.tools', 'away'));
  symlinkSync('nowhere', join(root, 'waybill.tools', 'broken'));
  symlinkSync('circle', join(root, 'waybill.tools', 'circle'));
  write('shared/tool.json', JSON.stringify(description('inside')));
  symlinkSync('../shared', join(root, 'waybill.tools', 'inside'));
  const { tools, invalid } = await catalog().list();
  expect(tools.map(({ id }) => id)).toEqual(['inside']);
  expect(invalid.map(({ file }) => file)).toEqual(
    ['away', 'broken', 'circle'].map((id) => `waybill.tools/${id}/tool.json`),
  );
  expect(invalid[0]?.reason).toMatch(/leads out of/);
});

test('D5 how many runs of a tool may be at work is in its description, unless the configuration says it, and changes with it', async () => {
  describeTool('free');
  describeTool('few', { concurrency: 3 });
  describeTool('ruled', { concurrency: 3 });
  const tools = catalog({ tools: { concurrency: { ruled: 7, constructor: 1 } } });
  expect([...tools.limits]).toEqual([
    ['ruled', 7],
    ['constructor', 1],
  ]);
  await tools.list();
  expect([...tools.limits].sort()).toEqual([
    ['constructor', 1],
    ['few', 3],
    ['ruled', 7],
  ]);
  describeTool('few', { concurrency: 12 });
  await tools.find('few');
  expect(tools.limits.get('few')).toBe(12);
  describeTool('few');
  await tools.find('few');
  expect(tools.limits.has('few')).toBe(false);
});

test('D19 an id that is no name, or only looks like a path, is not found; the nearest is named', async () => {
  describeTool('compile');
  const tools = catalog();
  for (const id of ['../compile', 'compile/', '', '.', 'a\0b', 'x'.repeat(500)]) {
    await expect(tools.find(id)).rejects.toMatchObject({ code: 'tool_not_found' });
  }
  await expect(tools.find('compil')).rejects.toMatchObject({ hint: 'Did you mean compile?' });
});

test('no folder is no tools; a folder that cannot be read is an error', async () => {
  expect(await catalog().list()).toEqual({ tools: [], invalid: [] });
  await expect(catalog().find('any')).rejects.toMatchObject({ code: 'tool_not_found' });
  write('waybill.tools', 'a file');
  await expect(catalog().list()).rejects.toMatchObject({ code: 'file_read_failed' });
  await expect(catalog().find('any')).rejects.toMatchObject({ code: 'file_read_failed' });
});

test('D19 what the workspace does not grant is listed with the reason and cannot be used', async () => {
  describeTool('online', { permissions: ['workspace.read', 'network'] });
  const tools = catalog({ tools: { permissions: ['workspace.read'] } });
  expect((await tools.list()).tools).toEqual([
    expect.objectContaining({ available: false, reason: 'the workspace does not grant network' }),
  ]);
  expect(await tools.detail('online')).toMatchObject({ available: false });
  await expect(tools.find('online')).rejects.toMatchObject({
    code: 'tool_not_permitted',
    details: { tool: 'online', missing: ['network'] },
  });
});

test('D19 a program or module that is not there is told, and told anew when it comes', async () => {
  describeTool('script', { command: ['./run.sh'] });
  describeTool('lost', { command: ['no-such-program-anywhere'] });
  describeTool('module', { kind: 'function', command: undefined, module: 'main.js' });
  const tools = catalog();
  const availability = async () => Object.fromEntries((await tools.list()).tools.map((each) => [each.id, each.reason]));
  expect(await availability()).toEqual({
    script: expect.stringContaining('"./run.sh"'),
    lost: expect.stringContaining('"no-such-program-anywhere"'),
    module: 'there is no module main.js',
  });
  write('waybill.tools/script/run.sh', '#!/bin/sh\n');
  write('waybill.tools/module/main.js', 'export default () => 1;');
  expect(await availability()).toMatchObject({ script: expect.any(String), module: null });
  rmSync(join(root, 'waybill.tools/script/run.sh'));
  write('waybill.tools/script/run.sh', '#!/bin/sh\n', 0o755);
  expect(await availability()).toMatchObject({ script: null });
});

test('a description is read again when its file changed, and only then', async () => {
  describeTool('changing');
  const tools = catalog();
  await sleep(150);
  const first = await tools.find('changing');
  expect(await tools.find('changing')).toBe(first);
  const [one, two] = await Promise.all([tools.find('changing'), tools.find('changing')]);
  expect([one, two]).toEqual([first, first]);
  // The same size and, as a clock that ticks slowly would leave it, the same time.
  const file = join(root, 'waybill.tools/changing/tool.json');
  const { atime, mtime } = statSync(file);
  describeTool('changing', { version: '2.0.0' });
  utimesSync(file, atime, mtime);
  expect((await tools.find('changing')).description.version).toBe('2.0.0');
  for (let version = 3; version < 40; version++) {
    describeTool('changing', { version: `${version}`.padStart(5, '0') });
    expect((await tools.find('changing')).description.version).toBe(`${version}`.padStart(5, '0'));
  }
  renameSync(join(root, 'waybill.tools/changing'), join(root, 'waybill.tools/renamed'));
  await expect(tools.find('changing')).rejects.toMatchObject({ code: 'tool_not_found' });
  await expect(tools.find('renamed')).rejects.toMatchObject({ code: 'tool_invalid' });
});

/** What the tool's function gives with each source of its module in turn, in a process of Node's own. */
function load(id: string, module: string, sources: readonly string[]): readonly unknown[] {
  describeTool(id, { kind: 'function', command: undefined, module });
  const program = join(import.meta.dirname, 'fixtures', 'load-tool.ts');
  const results: unknown[] = JSON.parse(
    execFileSync(process.execPath, [program, root, id, module, ...sources], { encoding: 'utf8' }),
  );
  return results;
}

const languages: readonly (readonly [string, (n: number) => string])[] = [
  ['main.mjs', (n) => `export default () => ${n};`],
  ['main.ts', (n) => `export default (_: unknown): number => ${n};`],
  ['main.cjs', (n) => `module.exports = () => ${n};`],
];
test.each(languages)('the module %s is loaded again when its file changed, and only then', (module, source) => {
  expect(load('reloaded', module, [1, 2, 3, 4].map(source))).toEqual([1, 2, 3, 4]);
  const counting = 'globalThis.loads = (globalThis.loads ?? 0) + 1;';
  const waits = `${counting} ${source(0).replace('0', '(new Promise((r) => setTimeout(() => r(globalThis.loads), 150)))')}`;
  // Once more at most: a file that was written just now is not trusted to stay as it is.
  const [, second, ...later] = load('kept', module, [waits, '', '', '']);
  expect([1, 2]).toContain(second);
  expect(later).toEqual([second, second]);
});

const broken: readonly (readonly [string, string, RegExp])[] = [
  ['that cannot be parsed', 'export default (\n', /main\.ts/],
  ['that throws', '\nthrow new Error("no luck");', /no luck .*main\.ts:2/],
  ['that imports what is not there', '\n\nimport "./nowhere.ts";', /nowhere.*main\.ts:3/],
  ['whose default is no function', 'export default 1;', /not a function/],
  ['without a default', 'export const x = 1;', /not a function/],
];
test.each(broken)('D8 a module %s cannot be called: tool_invalid says why and where', (_, source, reason) => {
  const good = 'export default () => "good"';
  expect(load('broken', 'main.ts', [source, good])).toEqual([
    {
      code: 'tool_invalid',
      details: { file: 'waybill.tools/broken/tool.json', reason: expect.stringMatching(reason) },
    },
    'good',
  ]);
});

test('D8 a module that is not there, or lies outside, is tool_invalid', () => {
  expect(load('gone', 'main.ts', [''])).toMatchObject([{ code: 'tool_invalid' }]);
  writeFileSync(join(outside, 'main.ts'), 'export default () => 1;');
  expect(load('away', '../../../main.ts', [''])).toMatchObject([{ code: 'tool_invalid' }]);
  mkdirSync(join(root, 'waybill.tools/linked'));
  symlinkSync(join(outside, 'main.ts'), join(root, 'waybill.tools/linked/main.ts'));
  expect(load('linked', 'main.ts', [''])).toMatchObject([
    { code: 'tool_invalid', details: { reason: expect.stringMatching(/leads out of/) } },
  ]);
});
