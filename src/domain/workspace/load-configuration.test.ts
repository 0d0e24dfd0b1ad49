import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, expectTypeOf, test } from 'vitest';
import type { AgentConfiguration } from '../../contract/configuration.ts';
import type { Check } from '../../contract/workflow.ts';
import type { AgentSettings } from '../runs/ports.ts';
import { initializeWorkspace } from './initialize-workspace.ts';
import type { Task } from './tasks/parse-task.ts';

let root = '';
let configuration = '';
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'waybill-config-')));
  configuration = join(root, 'waybill.config.ts');
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function write(path: string, content: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), content);
}

const driver = fileURLToPath(new URL('fixtures/print-configuration.ts', import.meta.url));

/** A process of its own: type stripping and the resolution of `waybill` must be Node's, not the test runner's. */
function load(...args: string[]): Promise<{ exitCode: number; stderr: string; answer: unknown }> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [driver, root, ...args], { cwd: root }, (_, stdout, stderr) => {
      resolve({ exitCode: child.exitCode ?? -1, stderr, answer: stdout === '' ? null : JSON.parse(stdout) });
    });
  });
}

test('R44 a workspace without any install imports waybill and gets the running program, without a warning', async () => {
  write(
    'flows/deploy.ts',
    `import { defineWorkflow, z } from 'waybill';
    const input: z.ZodType<{ count: number }> = z.object({ count: z.number() });
    export const deploy = defineWorkflow('deploy', { input }, async (run, given) => given.count);`,
  );
  write(
    'waybill.config.ts',
    `import { defineConfig } from 'waybill';
    import { deploy } from './flows/deploy.ts';
    export default defineConfig({ workflows: [deploy], maxIterations: 7 });`,
  );
  for (const packageJson of [undefined, '{}', '{"type":"commonjs"}', '{"type":"module"}']) {
    if (packageJson !== undefined) write('package.json', packageJson);
    expect(await load()).toEqual({
      exitCode: 0,
      stderr: '',
      answer: expect.objectContaining({
        workflows: ['deploy'],
        problems: [[{ path: 'count', message: 'expected number, received string' }]],
        maxIterations: 7,
        digest: expect.stringMatching(/^sha256:/),
      }),
    });
  }
});

test('R44 what init writes loads as it is; a workspace without a configuration has the defaults', async () => {
  await initializeWorkspace(root);
  expect(await load()).toMatchObject({ exitCode: 0, stderr: '', answer: { workflows: ['hello'], agents: {} } });
  rmSync(configuration);
  expect(await load()).toMatchObject({ exitCode: 0, answer: { workflows: [], digest: null } });
});

test.each<[what: string, code: string, line: number | null, reason: string, content: string]>([
  ['a syntax error', 'config_failed', 3, 'Expression expected', '\nexport default {\n  agents: ,\n};\n'],
  [
    'an early error',
    'config_failed',
    3,
    "Identifier 'a' has already been declared",
    '\nconst a = 1;\nconst a = 2;\nexport default {};\n',
  ],
  ['syntax that needs a compiler', 'config_failed', 2, 'enum is not supported', '\nenum A { B }\nexport default {};\n'],
  [
    'an exception',
    'config_failed',
    3,
    'boom',
    'const a: number = 1;\nfunction f() {\n  throw new Error("boom");\n}\nf();\n',
  ],
  ['a thrown text', 'config_failed', null, 'it threw "just text"', 'throw "just text";\n'],
  ['a missing file', 'config_failed', 2, 'Cannot find module', '\nimport { a } from "./nope.ts";\nexport default a;\n'],
  [
    'a missing package',
    'config_failed',
    1,
    "Cannot find package 'nopkg'",
    'import a from "nopkg";\nexport default a;\n',
  ],
  [
    'a missing export',
    'config_failed',
    1,
    "does not provide an export named 'defineConfg'",
    'import { defineConfg } from "waybill";\nexport default defineConfg({});\n',
  ],
  [
    'a part of waybill that is none',
    'config_failed',
    null,
    'not a part of waybill',
    'import a from "waybill/nope";\nexport default a;\n',
  ],
  [
    'a workflow with a bad name',
    'config_failed',
    2,
    'not a name id',
    'import { defineWorkflow } from "waybill";\nexport default { workflows: [defineWorkflow("../x", async () => 1)] };\n',
  ],
  ['no default export', 'config_invalid', null, 'no default export', 'export const a = 1;\n'],
  [
    'a wrong shape',
    'config_invalid',
    null,
    'agents.builder.command: expected array',
    'export default { agents: { builder: { command: "npm test" } } };\n',
  ],
])('R44 %s is %s with file, line and reason, exit 2', async (_, code, line, reason, content) => {
  write('waybill.config.ts', content);
  const { exitCode, stderr, answer } = await load();
  expect({ exitCode, stderr }).toEqual({ exitCode: 2, stderr: '' });
  const where = line === null ? {} : { details: expect.objectContaining({ file: configuration, line }) };
  expect(answer).toMatchObject({ error: { code, message: expect.stringContaining(reason), ...where } });
  if (line !== null)
    expect(answer).toMatchObject({ error: { message: expect.stringContaining(`(${configuration}:${line})`) } });
  else if (code === 'config_invalid')
    expect(answer).toMatchObject({ error: { message: expect.stringContaining(configuration) } });
});

test('R44 an error in an imported file names that file', async () => {
  write('flows/a.ts', '\n\nthrow new Error("in a");\n');
  write('waybill.config.ts', 'import "./flows/a.ts";\nexport default {};\n');
  expect(await load()).toMatchObject({
    exitCode: 2,
    answer: { error: { details: { file: join(root, 'flows/a.ts'), line: 3, reason: 'in a' } } },
  });
});

test('R44 a configuration that never ends is an error in bounded time', async () => {
  write('waybill.config.ts', 'await new Promise(() => {});\nexport default {};\n');
  expect(await load('300')).toMatchObject({
    exitCode: 2,
    answer: { error: { code: 'config_failed', details: { reason: 'timeout' } } },
  });
});

test('what a configuration and a task say fits what the runs ask for', () => {
  expectTypeOf<AgentConfiguration>().toExtend<AgentSettings>();
  expectTypeOf<Task['checks'][number]>().toExtend<Check>();
});
