import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, test, vi } from 'vitest';
import type { KillReport } from '../../domain/runs/ports.ts';
import { digestOf } from '../../platform/digests/digest.ts';
import { randomHex } from '../../platform/ids/make-id.ts';
import { createExecPort, type ExecControl, type ExecResult } from './exec.ts';
import { processesLike, sleepers, uniqueSeconds, until } from './fixtures/living.ts';
import { testedWays } from './fixtures/ways.ts';
import { previewBytes } from './output-preview.ts';
import { createProcessPort } from './process-port.ts';

const folder = mkdtempSync(join(tmpdir(), 'waybill-exec-'));
afterAll(() => rmSync(folder, { recursive: true }));
const full = process.env.WAYBILL_TEST_FULL === '1';
const calm = new AbortController().signal;

describe.each(await testedWays())('$how: $means', (containment) => {
  const port = createExecPort(createProcessPort(containment));

  function run(script: string, control: Partial<ExecControl> = {}): Promise<ExecResult> {
    const env = { PATH: process.env.PATH ?? '' };
    const spec = {
      argv: ['sh', '-c', script, 'sh', process.execPath],
      cwd: folder,
      env,
      marker: `test-${randomHex(8)}`,
    } as const;
    const defaults = { deadlineMs: 20_000, graceMs: 100, signal: calm, onStart: async () => {}, onGone: () => {} };
    return port.run(spec, { ...defaults, ...control });
  }

  test('a command gives its exit code and its output, counted and digested', async () => {
    const result = await run('cat; echo "to stderr" >&2; exit 3', { stdin: 'hello ünï\n' });
    expect(result.exitCode).toBe(3);
    expect(result.stdout).toMatchObject({
      text: 'hello ünï\n',
      bytes: 12,
      digest: digestOf('hello ünï\n'),
      truncated: false,
    });
    expect(result.stderr).toMatchObject({ text: 'to stderr\n', complete: true, altered: false });
  });

  test('its identity is told, and awaited, before the program begins; its end is told once', async () => {
    const order: string[] = [];
    const gone: KillReport[] = [];
    await run('echo began', {
      onStart: async ({ pid }) => {
        order.push(`known ${pid > 0}`);
        await sleep(100);
        order.push('durable');
      },
      onOutput: async (text) => {
        order.push(text);
      },
      onGone: (report) => gone.push(report),
    });
    expect(order).toEqual(['known true', 'durable', 'began\n']);
    expect(gone).toEqual([{ how: containment.how, signaled: 0, left: 0 }]);
  });

  test('when its identity cannot be made durable the program never begins', async () => {
    const gone = vi.fn();
    const begun = vi.fn();
    const failing = run('echo began', {
      onStart: () => Promise.reject(new Error('the lease was lost')),
      onOutput: async () => begun(),
      onGone: gone,
    });
    await expect(failing).rejects.toThrow('the lease was lost');
    expect(gone).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ left: 0 }));
    expect(begun).not.toHaveBeenCalled();
  });

  test('R26 1 MiB on the stdin of a program that never reads hangs nobody', async () => {
    const result = await run('echo done', { stdin: 'x'.repeat(1 << 20) });
    expect(result).toMatchObject({ exitCode: 0, stdout: { text: 'done\n' } });
  });

  test('R26 a program that overruns its deadline dies with its tree, SIGTERM ignored or not', async () => {
    const seconds = uniqueSeconds();
    const start = performance.now();
    const late = run(`trap '' TERM; setsid sleep ${seconds} & while :; do sleep ${seconds}; done`, {
      deadlineMs: 1500,
    });
    late.catch(() => undefined);
    await until('both are there', () => sleepers(seconds).length === 2, 1500);
    await expect(late).rejects.toMatchObject({
      code: 'process_timeout',
      hint: expect.any(String),
      details: { program: 'sh', exitCode: null, signal: 'SIGKILL', retryable: true },
    });
    expect(performance.now() - start).toBeLessThan(5000);
    expect(processesLike(new RegExp(seconds))).toEqual([]);
  });

  test('R26 cancel ends the tree and says so; a cancel before the start starts nothing', async () => {
    const seconds = uniqueSeconds();
    const canceler = new AbortController();
    const onGone = vi.fn();
    const running = run(`sleep ${seconds} & sleep ${seconds}`, { signal: canceler.signal, graceMs: 5000, onGone });
    running.catch(() => undefined);
    await until('both are there', () => sleepers(seconds).length === 2);
    canceler.abort();
    await expect(running).rejects.toMatchObject({ code: 'canceled', details: { signal: 'SIGTERM', retryable: false } });
    expect(onGone).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ left: 0 }));
    expect(sleepers(seconds)).toEqual([]);

    const onStart = vi.fn(async () => {});
    await expect(run('true', { signal: canceler.signal, onStart })).rejects.toMatchObject({ code: 'canceled' });
    expect(onStart).not.toHaveBeenCalled();
  });

  test('death by a signal of others is a failure that may be tried again', async () => {
    await expect(run('kill -SEGV $$')).rejects.toMatchObject({
      code: 'process_signal',
      details: { exitCode: null, signal: 'SIGSEGV', retryable: true },
    });
  });

  test('R26 a grandchild that holds the output open neither hangs nor survives', async () => {
    const seconds = uniqueSeconds();
    const start = performance.now();
    const result = await run(`setsid sleep ${seconds} & sleep 0.2; echo done`);
    expect(result).toMatchObject({ exitCode: 0, stdout: { text: 'done\n', complete: true } });
    expect(performance.now() - start).toBeLessThan(2000);
    expect(processesLike(new RegExp(seconds))).toEqual([]);
  });

  test('R26 a flood is taken in constant memory', async () => {
    const mebibytes = full ? 1024 : 48;
    const before = process.memoryUsage().rss;
    let highest = 0;
    let seen = 0;
    const result = await run(`head -c ${mebibytes}M /dev/zero | tr '\\0' x`, {
      deadlineMs: 120_000,
      onOutput: async (text) => {
        seen += text.length;
        highest = Math.max(highest, process.memoryUsage.rss());
      },
    });
    expect(seen).toBe(mebibytes * 1024 * 1024);
    expect(result.stdout).toMatchObject({ bytes: seen, truncated: true });
    expect(result.stdout.text.length).toBeLessThan(2 * previewBytes + 100);
    expect(highest - before).toBeLessThan(64 * 1024 * 1024);
  }, 120_000);

  test('a slow reader holds the program back', async () => {
    let taken = 0;
    let written = 0;
    const script = `"$1" -e 'let n = 0; const go = () => { while (process.stdout.write("x".repeat(65536)) && n < 400) n++; process.stderr.write(n + "\\n"); if (n < 400) { n++; process.stdout.once("drain", go) } }; go()'`;
    const result = await run(script, {
      onOutput: async (text, stream) => {
        if (stream === 'stderr') written = Number(text.trim().split('\n').at(-1));
        else if (taken++ === 0) {
          await sleep(1000);
          // What is not taken yet waits in the program: pipes and buffers hold little of its 25 MiB.
          expect(written).toBeLessThan(100);
        }
      },
    });
    expect(result.exitCode).toBe(0);
    expect(written).toBe(400);
  });

  test('output that is not UTF-8 is told well-formed and NUL-free, and digested as it was', async () => {
    const told: string[] = [];
    const bytes = Buffer.from([0x61, 0x00, 0xff, 0xe2, 0x82]);
    const result = await run("printf 'a\\000\\377\\342'; sleep 0.1; printf '\\202'", {
      onOutput: async (text) => {
        told.push(text);
      },
    });
    expect(told.join('')).toBe('a\ufffd\ufffd\ufffd');
    expect(result.stdout).toMatchObject({
      text: 'a\ufffd\ufffd\ufffd',
      bytes: 5,
      digest: digestOf(bytes),
      altered: true,
    });
  });

  test('who takes the bytes of the output gets them as they are, and ends the command by throwing', async () => {
    const bytes: Uint8Array[] = [];
    await run("printf 'a\\377\\000'; printf 'other' >&2", { onStdout: (chunk) => void bytes.push(chunk) });
    expect(Buffer.concat(bytes)).toEqual(Buffer.from([0x61, 0xff, 0x00]));
    const seconds = uniqueSeconds();
    let taken = 0;
    const tooMuch = run(
      `sleep ${seconds} & while :; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; done`,
      {
        onStdout: (chunk) => {
          taken += chunk.length;
          if (taken > 100_000) throw new Error('it is too much');
        },
      },
    );
    await expect(tooMuch).rejects.toThrow('it is too much');
    expect(taken).toBeLessThan(300_000);
    expect(sleepers(seconds)).toEqual([]);
  });

  test('what fails in the reader ends the command and is thrown', async () => {
    const seconds = uniqueSeconds();
    const failing = run(`echo x; sleep ${seconds}`, { onOutput: () => Promise.reject(new Error('the disk is full')) });
    await expect(failing).rejects.toThrow('the disk is full');
    expect(sleepers(seconds)).toEqual([]);
    const atTheEnd = run('echo x', {
      onOutput: () => sleep(300).then(() => Promise.reject(new Error('full at the end'))),
    });
    await expect(atTheEnd).rejects.toThrow('full at the end');
  });

  test('all bytes go to files where a folder is given', async () => {
    const outputFolder = mkdtempSync(join(folder, 'output-'));
    const result = await run("head -c 300000 /dev/urandom; printf 'err' >&2", { outputFolder });
    const bytes = readFileSync(join(outputFolder, 'stdout'));
    expect(bytes.length).toBe(300_000);
    expect(result.stdout.digest).toBe(digestOf(bytes));
    expect(readFileSync(join(outputFolder, 'stderr'), 'utf8')).toBe('err');
    expect(statSync(join(outputFolder, 'stdout')).mode & 0o777).toBe(0o600);
    await expect(run('echo x', { outputFolder: join(folder, 'nowhere') })).rejects.toMatchObject({
      code: 'file_write_failed',
    });
  });

  test('a program that is not there is a spawn failure, and nothing is told to have gone', async () => {
    const onGone = vi.fn();
    const spec = { argv: ['no-such-program'], cwd: folder, env: {}, marker: `test-${randomHex(8)}` } as const;
    const control = { deadlineMs: 1000, graceMs: 0, signal: calm, onStart: async () => {}, onGone };
    await expect(port.run(spec, control)).rejects.toMatchObject({ code: 'process_spawn_failed' });
    expect(onGone).not.toHaveBeenCalled();
  });
});
