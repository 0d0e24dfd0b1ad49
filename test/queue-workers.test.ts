import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { defineWorkflow } from '../src/contract/define.ts';
import type { RunId } from '../src/contract/ids.ts';
import { followEvents } from '../src/domain/runs/ledger/follow-events.ts';
import { openTestWorld, runTables, type TestProcess } from '../src/domain/runs/testing/engine.ts';
import { createHost } from '../src/executors/processes/host.ts';
import { openPostgresStore } from '../src/platform/store/postgres/open.ts';
import { openSqliteStore } from '../src/platform/store/sqlite/open.ts';
import { allRuns, ledgerFaults, openRuns } from '../src/workers/testing/run-facts.ts';
import { submitTo } from '../src/workers/testing/working-process.ts';
import { testDatabase } from './postgres/test-database.ts';
import { eventually } from './support/eventually.ts';
import { Random } from './support/random.ts';

// Real processes work on one store, and are killed with SIGKILL at random times.
const full = process.env.WAYBILL_TEST_FULL === '1';
const [count, kills] = full ? [400, 40] : [50, 5];
const effectLine = z.object({ step: z.string(), pid: z.int() });

interface Child {
  readonly process: ChildProcess;
  readonly pid: number;
  readonly exit: Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>;
}

async function startChild(folder: string, place: unknown): Promise<Child> {
  const script = join(import.meta.dirname, 'support', 'fixtures', 'queue-worker.ts');
  const child = spawn(process.execPath, [script, join(folder, 'effects'), JSON.stringify(place)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TMPDIR: folder },
  });
  const told = { stdout: '', stderr: '' };
  child.stdout.on('data', (bytes) => (told.stdout += String(bytes)));
  child.stderr.on('data', (bytes) => (told.stderr += String(bytes)));
  const exit = once(child, 'exit').then(([code]) => ({ code: typeof code === 'number' ? code : null, ...told }));
  await eventually('the worker is ready', () => (told.stdout.includes('ready') ? true : undefined));
  if (child.pid === undefined) throw new Error('the worker did not start');
  return { process: child, pid: child.pid, exit };
}

const stores = [
  ['SQLite', async (folder: string) => ({ place: { path: join(folder, 'waybill.db') }, drop: async () => {} })],
  [
    'PostgreSQL',
    async () => {
      const { connection, drop } = await testDatabase();
      return { place: { connection }, drop };
    },
  ],
] as const;

/** What a reader saw of a run, from its first event to the end of the stream. */
async function follow(process: TestProcess, runId: RunId) {
  const seen: number[] = [];
  const stream = followEvents(process.engine.store, runId, { since: 0 });
  for (;;) {
    const next = await stream.next();
    if (next.done === true) return { seen, why: next.value.why };
    seen.push(next.value.seq);
  }
}

describe.each(stores)('worker processes on %s', (_, open) => {
  test('D9 of many submitted runs, whose workers are killed at random times, each ends once, and so does each follower', {
    timeout: 300_000,
  }, async () => {
    const random = Random.printed('kills of real processes');
    const folder = await mkdtemp(join(tmpdir(), 'waybill-workers-'));
    const { place, drop } = await open(folder);
    const living: Child[] = [];
    const dead = new Set<number>();
    try {
      const migrations = runTables();
      await using world = await openTestWorld({
        workflows: [defineWorkflow('effects', { snapshot: 'none' }, async () => null)],
        host: createHost(),
        openStore: () =>
          'connection' in place
            ? openPostgresStore({ connection: place.connection, migrations, poolSize: 4 })
            : openSqliteStore({ path: place.path, migrations }),
      });
      const submitter = await world.start();
      const another = async () => living.push(await startChild(folder, place));
      await Promise.all([another(), another(), another()]);
      const submit = async (index: number) => {
        const runId = await submitTo(submitter, { workflow: 'effects', input: index });
        return { runId, followed: index % 10 === 0 ? follow(submitter, runId) : null };
      };
      const submitted = await Promise.all(Array.from({ length: count }, (_each, index) => submit(index)));

      while (dead.size < kills) {
        await delay(random.between(0, 300));
        const [victim] = living.splice(random.between(0, living.length - 1), 1);
        if (victim === undefined) throw new Error('nobody lives');
        victim.process.kill('SIGKILL');
        await victim.exit;
        dead.add(victim.pid);
        await another();
      }
      // One more is told to end while there is work, and hands over what it cannot finish.
      const last = await Promise.all(Array.from({ length: 20 }, (_each, index) => submit(count + index)));
      const [leaving] = living.splice(0, 1);
      leaving?.process.kill('SIGTERM');
      expect(await leaving?.exit).toMatchObject({ code: 0, stderr: '' });

      await eventually(
        'every run is finished',
        async () => ((await openRuns(submitter)) === 0 ? true : undefined),
        200_000,
      );
      const runs = await allRuns(submitter.engine.store);
      expect(runs).toHaveLength(count + last.length);
      expect(ledgerFaults(runs)).toEqual([]);
      for (const run of runs) {
        expect(run).toMatchObject({ state: 'succeeded', output: '"last"' });
        expect(run.receipts.toSorted()).toEqual(['last', 'left', 'one', 'rest', 'right']);
      }
      expect(runs.filter(({ epoch }) => epoch > 2).length).toBeGreaterThan(0);
      for (const { runId, followed } of [...submitted, ...last]) {
        if (followed === null) continue;
        const { seen, why } = await followed;
        expect(why).toBe('terminal');
        expect(seen).toEqual(runs.find(({ id }) => id === runId)?.seqs);
      }
      // What a step did may come again after a death or a handing over; never beside the process that has the run.
      const lines = (await readFile(join(folder, 'effects'), 'utf8')).trimEnd().split('\n');
      const effects = Map.groupBy(
        lines.map((line) => effectLine.parse(JSON.parse(line))),
        ({ step }) => step,
      );
      expect(effects.size).toBe(runs.length * 4);
      for (const [step, by] of effects) {
        const pids = by.map(({ pid }) => pid);
        expect(new Set(pids).size, `${step} by ${pids}`).toBe(pids.length);
        const unkilled = pids.filter((pid) => !dead.has(pid) && pid !== leaving?.pid);
        expect(unkilled.length, `${step} by ${pids}`).toBeLessThanOrEqual(1);
      }
      for (const child of living) child.process.kill('SIGTERM');
      for (const child of living) expect(await child.exit).toMatchObject({ code: 0, stderr: '' });
    } finally {
      for (const child of living) child.process.kill('SIGKILL');
      await Promise.all(living.map(({ exit }) => exit));
      await drop();
      await rm(folder, { recursive: true, force: true });
    }
  });
});
