import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, readlinkSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';

const root = dirname(import.meta.dirname);
const waybill = join(root, 'bin/waybill');
const { version } = z
  .object({ version: z.string() })
  .parse(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')));

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'waybill-bin-'));
  symlinkSync(waybill, join(folder, 'wb'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A PATH on which there is no Node but the one that is given. */
function run(command: string, args: string[], path: string): { output: string; status: number | null } {
  const { stdout, stderr, status } = spawnSync(command, args, { cwd: folder, encoding: 'utf8', env: { PATH: path } });
  return { output: stdout + stderr, status };
}

test('it finds the Node of its checkout, also through a link and with none on PATH', () => {
  for (const command of [waybill, join(folder, 'wb'), './wb']) {
    expect(run(command, ['--version'], '/usr/bin:/bin')).toEqual({ output: `${version}\n`, status: 0 });
  }
});

test('started by an old Node it says what to do instead of failing somewhere inside', () => {
  const old = `data:text/javascript,Object.defineProperty(process,'versions',{value:{node:'20.11.0'}})`;
  const { output, status } = run(process.execPath, ['--import', old, waybill, 'runs'], '/usr/bin:/bin');
  expect(status).toBe(2);
  expect(output).toContain('Node 24 or newer is needed; this is 20.11.0');
  expect(output).toContain('npm ci');
});

test.runIf(process.platform === 'linux')('there is one process: what kills it kills the program', async () => {
  const child = spawn(waybill, ['mock-agent', '--script', join(root, 'fixtures/mock-agent/well-behaved.json')], {
    cwd: folder,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [hello] = await once(child.stdout, 'data');
  expect(JSON.parse(String(hello).split('\n')[0] ?? '')).toMatchObject({ type: 'hello' });
  expect(basename(readlinkSync(`/proc/${child.pid}/exe`))).toBe('node');
  child.kill('SIGKILL');
  await once(child, 'close');
  expect(child.signalCode).toBe('SIGKILL');
});
