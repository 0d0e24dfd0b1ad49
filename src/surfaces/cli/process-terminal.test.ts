import { type ChildProcessByStdio, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

const program = fileURLToPath(new URL('fixtures/terminal-program.ts', import.meta.url));

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'waybill-terminal-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function start(...args: string[]): ChildProcessByStdio<Writable, Readable, Readable> {
  return spawn(process.execPath, [program, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
}

async function text(stream: Readable): Promise<string> {
  let all = '';
  for await (const chunk of stream) all += String(chunk);
  return all;
}

test('a reader that goes away ends nothing: the program finishes its work and exits 0', async () => {
  const child = start('flood');
  const errors = text(child.stderr);
  child.stdout.once('data', () => child.stdout.destroy());
  const [code, signal] = await once(child, 'close');
  expect({ code, signal }).toEqual({ code: 0, signal: null });
  expect(await errors).toMatch(/^heap \d+\n$/);
});

test('a slow reader slows the program down instead of filling its memory', async () => {
  const child = start('flood');
  const errors = text(child.stderr);
  await once(child.stdout, 'readable');
  await delay(300);
  // 20 MB wait to be printed; what may be buffered is the pipe and one write.
  let bytes = 0;
  for await (const chunk of child.stdout) bytes += chunk.length;
  expect(bytes).toBe(200_000 * 100);
  const heap = Number(/heap (\d+)/.exec(await errors)?.[1]);
  expect(heap).toBeGreaterThan(0);
  expect(heap).toBeLessThan(200 * 1024 * 1024);
});

test('standard input is read to its end', async () => {
  const child = start('echo-input');
  child.stdin.end('{"a": "ü"}');
  expect(await text(child.stdout)).toBe('{"a": "ü"}');
});

test.each(['SIGINT', 'SIGTERM'] as const)(
  'R22 %s reaches the handler, once, and the exit code is the one given',
  async (signal) => {
    const child = start('until-stopped');
    const printed = text(child.stdout);
    await once(child.stdout, 'readable');
    child.kill(signal);
    const [code] = await once(child, 'close');
    expect(code).toBe(5);
    expect(await printed).toBe(`ready\n${signal}\n`);
  },
);

test('a timer that a configuration left open does not keep a finished command alive', async () => {
  const child = start('leave-a-timer');
  const printed = text(child.stdout);
  const [code] = await once(child, 'close');
  expect(code).toBe(7);
  expect(await printed).toBe('done\n');
});

test('--no-wait: the first JSON is passed on, and the child lives on when nobody reads it', async () => {
  const file = join(folder, 'proof');
  const stdout = await new Promise<string>((resolve, reject) => {
    execFile(process.execPath, [program, 'background', 'live', file], (error, out) =>
      error === null ? resolve(out) : reject(error),
    );
  });
  expect(JSON.parse(stdout)).toEqual({ pid: expect.any(Number), first: { runId: 'r' } });
  await vi.waitFor(() => expect(existsSync(file)).toBe(true), { timeout: 10_000, interval: 20 });
  expect(readFileSync(file, 'utf8')).toBe('lived on');
});

test('--no-wait: a child that dies before it says anything is an error', async () => {
  const child = start('background', 'die');
  const errors = text(child.stderr);
  const [code] = await once(child, 'close');
  expect(code).toBe(1);
  expect(await errors).toMatch(/process_spawn_failed[\s\S]*exit code 3|exit code 3[\s\S]*process_spawn_failed/);
});
