import { cp, mkdtemp, readFile, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { program, waybill, waybillJson } from '../demo/programs.ts';

// The tools that people copy: each is called by the real program, and is what its page says.
vi.setConfig({ testTimeout: 90_000 });
const quiet = { aloud: false };
const examples = join(import.meta.dirname, '..', 'examples', 'tools');
let root = '';

beforeAll(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'waybill-tool-examples-')));
  await cp(examples, root, { recursive: true });
  await program(root, ['git', 'init', '--quiet'], quiet);
  await waybill(root, ['init'], quiet);
});
afterAll(() => rm(root, { recursive: true, force: true }));

async function call(tool: string, input: object): Promise<unknown> {
  const [, ...lines] = await waybillJson(root, [
    ...['run', '--workflow', 'tool', '--input', JSON.stringify({ tool, input })],
  ]);
  return lines.at(-1);
}

test('D19 the example tools are listed, a command and a function, and can be called', async () => {
  const [list] = await waybillJson(root, ['tools']);
  expect(list).toMatchObject({
    tools: [
      { id: 'greeting', kind: 'function', available: true },
      { id: 'lines', kind: 'command', available: true },
    ],
    invalid: [],
  });
  expect(await call('lines', { files: ['poem.txt', 'waybill.config.ts'] })).toMatchObject({
    state: 'succeeded',
    output: { total: expect.any(Number) },
    provenance: { tool: { id: 'lines', version: '1.0.0' } },
  });
  expect(await readFile(join(root, 'reports', 'lines.txt'), 'utf8')).toMatch(/^3\tpoem\.txt\n/);
  expect(await call('greeting', { name: 'Ada' })).toMatchObject({ state: 'succeeded', output: 'Hello, Ada!' });
});

test('docs/tools.md shows the examples as they are', async () => {
  const page = await readFile(join(import.meta.dirname, '..', 'docs', 'tools.md'), 'utf8');
  for (const file of ['lines/tool.json', 'lines/count.mjs', 'greeting/tool.json', 'greeting/greet.ts']) {
    expect(page).toContain(await readFile(join(examples, 'waybill.tools', file), 'utf8'));
  }
});
