import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';

const root = join(import.meta.dirname, '..');

test('npm run demo holds what it claims, and is plain text in a pipe', { timeout: 180_000 }, async () => {
  const demo = spawn(process.execPath, ['scripts/dev.mjs', 'demo'], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [demo.stdout, demo.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
  }
  await once(demo, 'close');
  const project = /The repository: (\S+)/.exec(said)?.[1] ?? '';
  onTestFinished(() => rm(dirname(project), { recursive: true, force: true }));
  expect(demo.exitCode, said).toBe(0);
  expect(said).not.toContain('\u001b');
  expect(said).toMatch(/All of it held, in \d+ seconds/);
  const claims = readFileSync(join(root, 'demo', 'demo.ts'), 'utf8').match(/^claim\(/gm)?.length ?? 0;
  expect(claims).toBeGreaterThan(12);
  expect(said.match(/^ {3}✓ /gm)?.length).toBe(claims);
  expect(said).not.toContain('does not hold');
  expect(existsSync(join(project, 'SPEC.md'))).toBe(true);
});
