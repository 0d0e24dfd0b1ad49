import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

// A checkout in a temp folder whose npm and node are small scripts that say what they were asked for.
let root = '';
let tools = '';

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'waybill-dev-'));
  tools = join(root, 'tools');
  for (const folder of ['tools', 'scripts', 'node_modules/.bin']) mkdirSync(join(root, folder), { recursive: true });
  cpSync(join(import.meta.dirname, 'dev.mjs'), join(root, 'scripts/dev.mjs'));
  program(
    'tools/npm',
    `echo "npm $*" >>"${root}/calls"; cp "${root}/package-lock.json" "${root}/node_modules/.package-lock.json"`,
  );
  program('tools/node', 'echo v20.11.0');
  lock('package-lock.json', { 'node_modules/a': { version: '1.0.0', integrity: 'sha512-a' } });
});
afterEach(() => rmSync(root, { recursive: true }));

function program(path: string, script: string): void {
  writeFileSync(join(root, path), `#!/bin/sh\n${script}\n`);
  chmodSync(join(root, path), 0o755);
}

function lock(path: string, packages: object): void {
  writeFileSync(join(root, path), JSON.stringify({ packages: { '': {}, ...packages } }));
}

function ownNode(): void {
  symlinkSync(process.execPath, join(root, 'node_modules/.bin/node'));
}

function dev(...args: string[]): SpawnSyncReturns<string> {
  const env = { PATH: [join(root, 'node_modules/.bin'), tools, '/usr/bin', '/bin'].join(':') };
  return spawnSync(process.execPath, [join(root, 'scripts/dev.mjs'), ...args], { encoding: 'utf8', env });
}

function npmCalls(): string[] {
  try {
    return readFileSync(join(root, 'calls'), 'utf8').trimEnd().split('\n');
  } catch {
    return [];
  }
}

test('what is not installed is installed once, then the command runs with the Node of the checkout', () => {
  ownNode();
  const first = dev('run', '-p', 'process.execPath');
  expect(first.stdout.trim()).toBe(process.execPath);
  expect(npmCalls()).toEqual([expect.stringMatching(/^npm ci /)]);
  expect(dev('run', '-e', '0').status).toBe(0);
  expect(npmCalls()).toHaveLength(1);
});

test('a lockfile that changed since, in version or content, is installed again; a package of another platform is not missed', () => {
  ownNode();
  const optional = { 'node_modules/other-platform': { version: '1.0.0', optional: true } };
  lock('package-lock.json', { 'node_modules/a': { version: '1.0.0', integrity: 'sha512-a' }, ...optional });
  lock('node_modules/.package-lock.json', { 'node_modules/a': { version: '1.0.0', integrity: 'sha512-a' } });
  expect(dev('run', '-e', '0').status).toBe(0);
  expect(npmCalls()).toEqual([]);
  lock('package-lock.json', { 'node_modules/a': { version: '1.0.0', integrity: 'sha512-b' }, ...optional });
  expect(dev('run', '-e', '0').status).toBe(0);
  expect(npmCalls()).toHaveLength(1);
});

test('without install scripts there is no new Node: it says so and what to do, and runs nothing', () => {
  const { status, stdout, stderr } = dev('run', '-p', '1');
  expect(status).toBe(2);
  expect(stdout).toBe('');
  expect(stderr).toContain('the one on PATH is v20.11.0');
  expect(stderr).toContain('npm rebuild node --ignore-scripts=false');
});

test('a failed install stops it', () => {
  program('tools/npm', 'echo "npm error network" >&2; exit 1');
  const { status, stderr } = dev('run', '-p', '1');
  expect(status).toBe(2);
  expect(stderr).toMatch(/npm error network.*npm ci failed \(exit 1\)/s);
});

test('the end of the command is its own end: exit code, or signal', () => {
  ownNode();
  lock('node_modules/.package-lock.json', { 'node_modules/a': { version: '1.0.0', integrity: 'sha512-a' } });
  expect(dev('run', '-e', 'process.exit(7)').status).toBe(7);
  expect(dev('run', '-e', 'process.kill(process.pid, "SIGKILL")').status).toBe(137);
});

test.each([[[]], [['no-such-command']], [['toString']]])('%j is a usage error', (args) => {
  const { status, stderr } = dev(...args);
  expect(status).toBe(2);
  expect(stderr).toContain('usage: node scripts/dev.mjs test|');
});
