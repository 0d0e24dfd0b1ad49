import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, describe, expect, onTestFailed, test } from 'vitest';
import { z } from 'zod';
import type { ProcessIdentity } from '../../domain/runs/ports.ts';
import { randomHex } from '../../platform/ids/make-id.ts';
import { processesLike, sleepers, uniqueSeconds, until } from './fixtures/living.ts';
import { testedWays } from './fixtures/ways.ts';
import { createProcessPort } from './process-port.ts';

const folder = mkdtempSync(join(tmpdir(), 'waybill-runner-'));
afterAll(() => rmSync(folder, { recursive: true }));
const fixture = (name: string): string => join(import.meta.dirname, 'fixtures', name);
const ways = await testedWays();
const identityShape = z.object({
  ...{ pid: z.number(), startTime: z.string(), bootId: z.string(), host: z.string(), marker: z.string() },
});

interface Runner {
  readonly identity: ProcessIdentity;
  /** SIGKILL to the runner alone; resolves when it has gone. */
  die(): Promise<void>;
}

async function startRunner(means: string, argv: readonly string[], ...options: readonly string[]): Promise<Runner> {
  // A failed test must not leave its processes on the machine; the last argument names them.
  onTestFailed(() => {
    for (const pid of processesLike(new RegExp(argv.at(-1) ?? '^$'))) process.kill(pid, 'SIGKILL');
  });
  const args = [fixture('runner.ts'), '--means', means, '--marker', `test-${randomHex(8)}`, ...options, '--', ...argv];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const [line] = await Promise.race([
    createInterface(child.stdout)
      [Symbol.asyncIterator]()
      .next()
      .then(({ value }) => [value]),
    gone.then(() => [undefined]),
  ]);
  return {
    identity: identityShape.parse(JSON.parse(line ?? 'null')),
    async die() {
      child.kill('SIGKILL');
      await gone;
    },
  };
}

describe.each(ways)('$how: $means', (containment) => {
  const port = createProcessPort(containment);

  test('R41 SIGKILL of the runner while daemons work', async () => {
    const seconds = uniqueSeconds();
    const runner = await startRunner(containment.means, [fixture('tree.sh'), seconds]);
    await until('all four are there', () => sleepers(seconds).length === 4);
    await runner.die();
    switch (containment.how) {
      case 'contained':
        await until('nothing is left', () => processesLike(new RegExp(seconds)).length === 0, 1000);
        await expect(port.killLeftovers(runner.identity, 200)).resolves.toMatchObject({ signaled: 0, left: 0 });
        break;
      case 'swept': {
        expect(sleepers(seconds).length).toBe(4);
        const report = await port.killLeftovers(runner.identity, 200);
        expect(processesLike(new RegExp(seconds))).toEqual([]);
        expect(report).toMatchObject({ how: 'swept', left: 0 });
        expect(report.signaled).toBeGreaterThanOrEqual(5);
      }
    }
  });

  test('R41 a runner that dies before it opens the gate: the program never runs', async () => {
    const proof = join(folder, `ran-${randomHex(4)}`);
    const runner = await startRunner(containment.means, ['touch', proof], '--hold');
    const gates = (): readonly number[] => processesLike(new RegExp(`/bin/sh .* touch ${proof}$`));
    expect(gates().length).toBeGreaterThanOrEqual(1);
    await runner.die();
    await until('the gate has gone too', () => gates().length === 0, 1000);
    expect(existsSync(proof)).toBe(false);
  });
});

describe('killLeftovers', () => {
  const sweeping =
    ways.filter(({ how }) => how === 'swept').map(createProcessPort)[0] ?? expect.fail('no way to sweep');
  const env = { PATH: process.env.PATH ?? '' };

  test('R41 orphans are found by the marker when the process itself has gone', async () => {
    const seconds = uniqueSeconds();
    const swept = ways.at(-1)?.means ?? '';
    const runner = await startRunner(swept, ['sh', '-c', 'setsid sleep "$0" & exec sleep 0.5', seconds]);
    await until('the daemon is there', () => sleepers(seconds).length === 1);
    await runner.die();
    await until('the process itself has gone', () => processesLike(/^sleep 0\.5$/).length === 0);
    expect(sleepers(seconds).length).toBe(1);
    await expect(sweeping.killLeftovers(runner.identity, 1000)).resolves.toEqual({
      how: 'swept',
      signaled: 1,
      left: 0,
    });
    expect(sleepers(seconds)).toEqual([]);
  });

  test('a process of this very program is a leftover too, when its run is taken over in place', async () => {
    const seconds = uniqueSeconds();
    const held = await sweeping.start({ argv: ['sleep', seconds], cwd: folder, env, marker: `test-${randomHex(8)}` });
    held.release();
    await until('it is there', () => sleepers(seconds).length === 1);
    await expect(sweeping.killLeftovers(held.identity, 1000)).resolves.toMatchObject({ signaled: 1, left: 0 });
    expect(sleepers(seconds)).toEqual([]);
  });

  test('a pid that was given to another process is left alone', async () => {
    const seconds = uniqueSeconds();
    const innocent = await sweeping.start({
      argv: ['sleep', seconds],
      cwd: folder,
      env,
      marker: `test-${randomHex(8)}`,
    });
    innocent.release();
    await until('it is there', () => sleepers(seconds).length === 1);
    const { identity } = innocent;
    const before = { ...identity, marker: `test-${randomHex(8)}`, startTime: String(Number(identity.startTime) - 1) };
    await expect(sweeping.killLeftovers(before, 0)).resolves.toEqual({ how: 'swept', signaled: 0, left: 0 });
    const otherBoot = { ...identity, bootId: '00000000-0000-0000-0000-000000000000/1' };
    await expect(sweeping.killLeftovers(otherBoot, 0)).resolves.toEqual({ how: 'swept', signaled: 0, left: 0 });
    const otherMachine = { ...otherBoot, host: 'elsewhere.invalid' };
    await expect(sweeping.killLeftovers(otherMachine, 0)).rejects.toMatchObject({ code: 'containment_failed' });
    expect(sleepers(seconds)).toEqual([identity.pid]);
    await innocent.kill(0);
    expect(sleepers(seconds)).toEqual([]);
  });
});
