import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, posix } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { findImports } from '../scripts/layers/find-imports.ts';

const root = dirname(import.meta.dirname);
const run = promisify(execFile);
const packageJson = z
  .object({ version: z.string(), exports: z.record(z.string(), z.unknown()) })
  .parse(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')));

let folder = '';
let packed: string[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-package-'));
  const { stdout } = await run('npm', ['pack', '--silent', '--json', '--pack-destination', folder], { cwd: root });
  // The build, which npm runs before it packs, prints a line of its own.
  const report = z
    .array(z.object({ filename: z.string(), files: z.array(z.object({ path: z.string() })) }))
    .parse(JSON.parse(stdout.slice(stdout.search(/^\[/m))));
  const tarball = join(folder, report[0]?.filename ?? '');
  packed = report[0]?.files.map(({ path }) => path) ?? [];
  await writeFile(join(folder, 'package.json'), JSON.stringify({ name: 'empty', private: true, type: 'module' }));
  await run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', tarball], { cwd: folder });
}, 120_000);

afterAll(async () => {
  if (folder !== '') await rm(folder, { recursive: true });
});

/** The sources under src/ that these files reach through their imports, themselves included. */
function reachedFrom(entries: readonly string[]): Set<string> {
  const reached = new Set<string>();
  const open = [...entries];
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    if (reached.has(path)) continue;
    reached.add(path);
    for (const { specifier } of findImports(path, readFileSync(join(root, path), 'utf8'))) {
      if (specifier?.startsWith('.') && specifier.endsWith('.ts'))
        open.push(posix.join(posix.dirname(path), specifier));
    }
  }
  return reached;
}

function built(source: string, ending: '.js' | '.d.ts'): string {
  return source.replace(/^src\//, 'dist/').replace(/\.ts$/, ending);
}

describe('R43 the package, installed into an empty project', () => {
  const sdk = readdirSync(join(root, 'src/sdk')).map((name) => `src/sdk/${name}/index.ts`);
  const subpaths = Object.keys(packageJson.exports).filter((name) => /^\.(\/[a-z]+)?$/.test(name));

  test('holds what it needs and nothing else', () => {
    const sql = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).filter((file) =>
      file.endsWith('.sql'),
    );
    const wanted = [
      'LICENSE',
      'README.md',
      'bin/waybill',
      'openapi/v1.json',
      'package.json',
      ...readdirSync(join(root, 'schemas/v1'))
        .filter((file) => file.endsWith('.json'))
        .map((file) => `schemas/v1/${file}`),
      ...readdirSync(join(root, 'fixtures/mock-agent')).map((file) => `fixtures/mock-agent/${file}`),
      ...[...reachedFrom(['src/main.ts', ...sdk])].map((source) => built(source, '.js')),
      ...[...reachedFrom(sdk)].map((source) => built(source, '.d.ts')),
      ...sql.map((file) => `dist/${file}`),
    ];
    expect(packed.length).toBeGreaterThan(100);
    expect([...packed].sort()).toEqual(wanted.sort());
  });

  test('has a subpath for each folder of the sdk, and no other', () => {
    const names = sdk.map((file) => file.split('/')[2]).map((name) => (name === 'workspace' ? '.' : `./${name}`));
    expect(subpaths.sort()).toEqual(names.sort());
  });

  test('gives a waybill command that answers and loads its command line', async () => {
    const waybill = join(folder, 'node_modules/.bin/waybill');
    expect((await run(waybill, ['--version'], { cwd: folder })).stdout).toBe(`${packageJson.version}\n`);
    expect((await run(waybill, ['--help'], { cwd: folder })).stdout).toMatch(/resume/);
  });

  test('gives each subpath to import, and its schemas', async () => {
    const specifiers = subpaths.map((name) => name.replace('.', 'waybill'));
    const source = [
      ...specifiers.map((name) => `console.log(Object.keys(await import('${name}')).length);`),
      `import schema from 'waybill/schemas/v1/command.v1.json' with { type: 'json' };`,
      'console.log(schema.$id);',
    ].join('\n');
    await writeFile(join(folder, 'imports.mjs'), source);
    const lines = (await run(process.execPath, ['imports.mjs'], { cwd: folder })).stdout.trim().split('\n');
    expect(lines.pop()).toBe('urn:waybill:schema:command.v1');
    expect(lines).toHaveLength(specifiers.length);
    for (const count of lines) expect(Number(count)).toBeGreaterThan(0);
  });

  test('gives their types: right use compiles, wrong use does not', async () => {
    const source = `
      import { defineConfig, defineWorkflow, WaybillError, z } from 'waybill';
      import { runAgent } from 'waybill/agent';
      import { createClient } from 'waybill/client';
      import { runMockAgent } from 'waybill/testing';
      const client = createClient({ url: 'http://127.0.0.1:8080' }, { token: 'x' });
      export async function submitAndFollow(): Promise<string> {
        const { status, body } = await client.runs.submit({ body: { tool: 'echo', input: { n: 1 } } });
        const created: 200 | 201 = status;
        for await (const event of client.follow(body.runId, { timeoutMs: 1_000 })) {
          const seq: number = event.seq;
          // @ts-expect-error a number has a type
          const wrong: string = event.seq;
        }
        // @ts-expect-error a tool is named, or a workflow
        await client.runs.submit({ body: { tol: 'echo' } });
        // @ts-expect-error no such route
        await client.runs.launch();
        return (await client.runs.get({ params: { runId: body.runId } })).state;
      }
      const flow = defineWorkflow('flow', { input: z.object({ n: z.number() }) }, async (run, input) => {
        const n: number = input.n;
        // @ts-expect-error the input has a type
        const wrong: string = input.n;
        // @ts-expect-error a run has no such verb
        run.launch();
        return run.step('add', { n }, () => n + 1);
      });
      export default defineConfig({ workflows: [flow] });
      // @ts-expect-error a configuration has no such field
      defineConfig({ workflow: 3 });
      // @ts-expect-error no such code
      new WaybillError('no_such_code', 'x');
      // @ts-expect-error an agent is more than a number
      runAgent(3);
      // @ts-expect-error a script is more than a number
      runMockAgent(3);
    `;
    await writeFile(join(folder, 'use.ts'), source);
    const options = {
      module: 'nodenext',
      target: 'es2024',
      strict: true,
      noEmit: true,
      skipLibCheck: false,
      types: [],
    };
    // Like every package that names a stream of Node, ours leaves it to the project which @types/node it has.
    const node = { types: ['node'], typeRoots: [join(root, 'node_modules/@types')] };
    await writeFile(
      join(folder, 'tsconfig.json'),
      JSON.stringify({ compilerOptions: { ...options, ...node }, files: ['use.ts'] }),
    );
    const tsc = join(root, 'node_modules/.bin/tsc');
    expect(existsSync(tsc)).toBe(true);
    const { stdout } = await run(tsc, ['-p', folder]).catch((error: { stdout: string }) => error);
    expect(stdout).toBe('');
  });
});
