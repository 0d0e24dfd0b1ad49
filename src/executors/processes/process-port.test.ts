import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import type { HeldProcess } from '../../domain/runs/ports.ts';
import { randomHex } from '../../platform/ids/make-id.ts';
import { processesLike, sleepers, uniqueSeconds, until } from './fixtures/living.ts';
import { testedWays } from './fixtures/ways.ts';
import { createProcessPort } from './process-port.ts';

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'waybill-processes-')));
afterAll(() => rmSync(folder, { recursive: true }));
const tree = join(import.meta.dirname, 'fixtures/tree.sh');
const env = { PATH: process.env.PATH ?? '/usr/bin:/bin' };

describe.each(await testedWays())('$how: $means', (containment) => {
  const port = createProcessPort(containment);
  const started: HeldProcess[] = [];
  const hold = async (...argv: [string, ...string[]]): Promise<HeldProcess> => {
    const held = await port.start({ argv, cwd: folder, env, marker: `test-${randomHex(8)}` });
    started.push(held);
    return held;
  };
  // A failed test must not leave its processes on the machine.
  afterEach(async () => {
    await Promise.all(started.splice(0).map((held) => held.kill(0)));
  });
  const begin = async (...argv: [string, ...string[]]): Promise<HeldProcess> => {
    const held = await hold(...argv);
    held.release();
    return held;
  };

  test('R26 a tree with daemons that ignores SIGTERM is dead after the grace period', async () => {
    const seconds = uniqueSeconds();
    const held = await begin(tree, seconds);
    await until('all four are there', () => sleepers(seconds).length === 4);
    const start = performance.now();
    const report = await held.kill(200);
    expect(processesLike(new RegExp(seconds))).toEqual([]);
    expect(report).toMatchObject({ how: containment.how, left: 0 });
    expect(report.signaled).toBeGreaterThanOrEqual(5);
    expect(performance.now() - start).toBeGreaterThan(190);
    await expect(held.exited).resolves.toEqual({ exitCode: null, signal: 'SIGKILL' });
  });

  test('a tree that listens to SIGTERM ends in its own way, long before the grace period is over', async () => {
    const seconds = uniqueSeconds();
    const held = await begin('sh', '-c', `trap 'echo bye; exit 7' TERM; sleep ${seconds} & echo up; wait`);
    const output = text(held.stdout);
    await until('the child is there', () => sleepers(seconds).length === 1);
    const start = performance.now();
    await expect(held.kill(20_000)).resolves.toMatchObject({ left: 0 });
    expect(performance.now() - start).toBeLessThan(5000);
    await expect(held.exited).resolves.toEqual({ exitCode: 7, signal: null });
    await expect(output).resolves.toBe('up\nbye\n');
    expect(sleepers(seconds)).toEqual([]);
  });

  test('what the program leaves behind when it ends by itself is gone after kill', async () => {
    const seconds = uniqueSeconds();
    const held = await begin('sh', '-c', `setsid sleep ${seconds} & sleep 0.3; echo done`);
    await until('the daemon is there', () => sleepers(seconds).length === 1);
    await expect(held.exited).resolves.toEqual({ exitCode: 0, signal: null });
    await expect(held.kill(0)).resolves.toMatchObject({ left: 0 });
    expect(sleepers(seconds)).toEqual([]);
  });

  test('a stopped process hears SIGTERM too', async () => {
    const held = await begin('sh', '-c', 'echo up; kill -STOP $$; echo continued');
    held.stdout.resume();
    await until('it has stopped', () => {
      const [pid] = processesLike(/^sh -c echo up; kill -STOP/);
      return pid !== undefined && processesLike(/^sh -c echo up; kill -STOP/).length === 1;
    });
    await expect(held.kill(20_000)).resolves.toMatchObject({ left: 0 });
    await expect(held.exited).resolves.toEqual({ exitCode: null, signal: 'SIGTERM' });
  });

  test('fifty children, each a session of its own, are all found', async () => {
    const seconds = uniqueSeconds();
    const held = await begin('sh', '-c', `trap '' TERM; for i in $(seq 50); do setsid sleep ${seconds} & done; wait`);
    await until('all fifty are there', () => sleepers(seconds).length === 50);
    await expect(held.kill(50)).resolves.toMatchObject({ left: 0 });
    expect(sleepers(seconds)).toEqual([]);
  });

  test('processes that keep forking are outrun', async () => {
    const seconds = uniqueSeconds();
    const held = await begin('sh', '-c', `trap '' TERM; f() { sleep 0.02; f & }; f & f & f & sleep ${seconds}`);
    await until('it is there', () => sleepers(seconds).length === 1);
    await expect(held.kill(100)).resolves.toMatchObject({ left: 0 });
    expect(processesLike(new RegExp(seconds))).toEqual([]);
  });

  test('a chain in which every process leaves the session and ends is outrun', async () => {
    const place = mkdtempSync(join(folder, 'chain-'));
    const generations = (): number =>
      existsSync(place) ? readFileSync(join(place, 'generations'), 'utf8').length / 2 : 0;
    const held = await begin('sh', '-c', '"$0" "$1"; sleep 60', join(import.meta.dirname, 'fixtures/chain.sh'), place);
    await until('it goes on', () => existsSync(join(place, 'generations')) && generations() > 5);
    await expect(held.kill(50)).resolves.toMatchObject({ left: 0 });
    const last = generations();
    await sleep(200);
    expect(generations()).toBe(last);
    rmSync(place, { recursive: true });
  });

  test('of twenty at once only those that are killed die', async () => {
    const families = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const seconds = uniqueSeconds();
        return { seconds, held: await begin('sh', '-c', `setsid sleep ${seconds} & sleep ${seconds}`) };
      }),
    );
    const all = new RegExp(`sleep (${families.map(({ seconds }) => seconds).join('|')})$`);
    await until('all are there', () => processesLike(all).length >= 40, 10_000);
    expect(families.map(({ seconds }) => sleepers(seconds).length)).toEqual(families.map(() => 2));
    const [doomed, others] = [families.slice(0, 10), families.slice(10)];
    const reports = await Promise.all(doomed.map(({ held }) => held.kill(1000)));
    expect(reports.map(({ left }) => left)).toEqual(doomed.map(() => 0));
    expect(doomed.flatMap(({ seconds }) => sleepers(seconds))).toEqual([]);
    expect(others.map(({ seconds }) => sleepers(seconds).length)).toEqual(others.map(() => 2));
    await Promise.all(others.map(({ held }) => held.kill(0)));
    expect(others.flatMap(({ seconds }) => sleepers(seconds))).toEqual([]);
  });

  test.each([
    ['exit 0', { exitCode: 0, signal: null }],
    ['exit 3', { exitCode: 3, signal: null }],
    ['exit 127', { exitCode: 127, signal: null }],
    ['exit 129', { exitCode: 129, signal: null }],
    ['exit 255', { exitCode: 255, signal: null }],
    ['kill -HUP $$', { exitCode: null, signal: 'SIGHUP' }],
    ['kill -INT $$', { exitCode: null, signal: 'SIGINT' }],
    ['kill -TERM $$', { exitCode: null, signal: 'SIGTERM' }],
    ['kill -SEGV $$', { exitCode: null, signal: 'SIGSEGV' }],
    ['kill -KILL $$', { exitCode: null, signal: 'SIGKILL' }],
    // A script may end its own process group; nothing of ours is in it.
    ['trap "" TERM; kill -TERM 0; exit 5', { exitCode: 5, signal: null }],
  ])('the end of `%s` is reported as it was', async (script, exit) => {
    const held = await begin('sh', '-c', script);
    const noise = text(held.stderr);
    await expect(held.exited).resolves.toEqual(exit);
    await expect(noise).resolves.toBe('');
  });

  test('the program gets its arguments, its environment and three descriptors, and nothing else', async () => {
    const args = ['', '-n', '$(touch x)', 'a\'b"c', 'two\nlines', '*', 'ünï'];
    const marker = `test-${randomHex(8)}`;
    const given = { PATH: env.PATH, EMPTY: '', LINES_: 'a\nb' };
    const held = await port.start({
      argv: [process.execPath, join(import.meta.dirname, 'fixtures/what-i-got.ts'), ...args],
      cwd: folder,
      env: given,
      marker,
    });
    held.release();
    const [seenArgs, seenEnv, sockets]: unknown[] = JSON.parse(await text(held.stdout));
    expect(seenArgs).toEqual(args);
    expect(seenEnv).toEqual({ ...given, WAYBILL_MARKER: marker });
    expect(sockets).toEqual([0, 1, 2]);
  });

  test('a name the shell has as a builtin still runs the program', async () => {
    const own = join(folder, 'own-bin');
    mkdirSync(own, { recursive: true });
    writeFileSync(join(own, 'test'), '#!/bin/sh\necho "mine $*"\n', { mode: 0o755 });
    const held = await port.start({
      argv: ['test', '-x'],
      cwd: folder,
      env: { PATH: `${own}:${env.PATH}` },
      marker: `test-${randomHex(8)}`,
    });
    held.release();
    await expect(text(held.stdout)).resolves.toBe('mine -x\n');
  });

  test('a process whose gate is never opened runs nothing of its program', async () => {
    const proof = join(folder, `ran-${randomHex(4)}`);
    const held = await hold('touch', proof);
    expect(processesLike(new RegExp(proof)).length).toBeGreaterThanOrEqual(1);
    await expect(held.kill(5000)).resolves.toMatchObject({ left: 0 });
    await expect(held.exited).rejects.toMatchObject({ code: 'process_spawn_failed' });
    held.release();
    expect(processesLike(new RegExp(proof))).toEqual([]);
    expect(existsSync(proof)).toBe(false);
  });

  test('writing to a program that has gone harms nobody', async () => {
    const held = await begin('true');
    await held.exited;
    held.stdin.write('x'.repeat(1 << 20));
    held.stdin.end();
    await expect(held.kill(0)).resolves.toMatchObject({ signaled: 0, left: 0 });
  });

  test('what cannot be started is refused by name, without its arguments', async () => {
    writeFileSync(join(folder, 'plain.txt'), 'x', { mode: 0o644 });
    const cases: [string, string, RegExp][] = [
      ['no-such-program', folder, /not on the PATH/],
      ['./no-such-file', folder, /no such file/],
      ['./plain.txt', folder, /not an executable file/],
      [folder, folder, /not an executable file/],
      ['', folder, /empty/],
      ['a\0b', folder, /NUL/],
      ['true', join(folder, 'nowhere'), /working folder .* is not a folder/],
    ];
    for (const [program, cwd, message] of cases) {
      const refused = port.start({ argv: [program, 'secret-argument'], cwd, env, marker: `test-${randomHex(8)}` });
      await expect(refused).rejects.toMatchObject({
        code: 'process_spawn_failed',
        message: expect.stringMatching(message),
      });
      await expect(refused).rejects.not.toMatchObject({ message: expect.stringContaining('secret-argument') });
      await expect(refused).rejects.toMatchObject({ hint: expect.any(String), details: { program, retryable: false } });
    }
  });

  test('a marker that could be met by chance is refused', async () => {
    for (const marker of ['', 'short', 'has,comma-in-it', 'has space in it']) {
      await expect(port.start({ argv: ['true'], cwd: folder, env, marker })).rejects.toMatchObject({
        code: 'invalid_argument',
      });
    }
  });
});
