import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';

const root = join(import.meta.dirname, '..');

async function demo(
  env: NodeJS.ProcessEnv,
  name = 'demo',
): Promise<{ readonly exitCode: number | null; readonly said: string }> {
  const child = spawn(process.execPath, ['scripts/dev.mjs', name], {
    cwd: root,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
  }
  await once(child, 'close');
  const project = projectOf(said);
  if (project !== undefined) onTestFinished(() => rm(dirname(project), { recursive: true, force: true }));
  return { exitCode: child.exitCode, said };
}

const projectOf = (said: string) => /The (?:repository|workspace): (\S+)/.exec(said)?.[1];
const claimsIn = (file: string) => readFileSync(join(root, 'demo', file), 'utf8').match(/^claim\(/gm)?.length ?? 0;

test('npm run demo holds what it claims, and is plain text in a pipe', { timeout: 180_000 }, async () => {
  const { exitCode, said } = await demo(process.env);
  const project = projectOf(said) ?? '';
  expect(exitCode, said).toBe(0);
  expect(said).not.toContain('\u001b');
  expect(said).toMatch(/All of it held, in \d+ seconds/);
  const claims = claimsIn('demo.ts');
  expect(claims).toBeGreaterThan(12);
  expect(said.match(/^ {3}✓ /gm)?.length).toBe(claims);
  expect(said).not.toContain('does not hold');
  expect(existsSync(join(project, 'SPEC.md'))).toBe(true);
});

test('npm run demo:registry holds what it claims, and is plain text in a pipe', { timeout: 180_000 }, async () => {
  const { exitCode, said } = await demo(process.env, 'demo:registry');
  expect(exitCode, said).toBe(0);
  expect(said).not.toContain('\u001b');
  expect(said).toMatch(/All of it held, in \d+ seconds/);
  const claims = claimsIn('registry.ts');
  expect(claims).toBeGreaterThan(20);
  expect(said.match(/^ {3}✓ /gm)?.length).toBe(claims);
});

test('a machine where it cannot work is told why, with exit code 1', async () => {
  const { exitCode, said } = await demo({
    ...process.env,
    PATH: dirname(process.execPath),
    TMPDIR: await emptyFolder(),
  });
  expect(exitCode).toBe(1);
  expect(said).toContain('✗ cannot start git (ENOENT)');
  expect(said).not.toContain('node:internal');
});

async function emptyFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-demo-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
