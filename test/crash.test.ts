import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { crashUntilDone, receiptOf, type Survived, substance } from './support/crash-until-done.ts';
import { Random } from './support/random.ts';
import { taskWorkspace } from './support/task-agents.ts';
import { type Effect, linesOf, makeWorkspace, type TestWorkspace } from './support/workspace.ts';

const full = process.env.WAYBILL_TEST_FULL === '1';
const start = ['run', '--task', 'T-1', '--key', 'once'];

/** A run that nothing disturbed: what every crashed one is held against. */
async function undisturbed(options: Parameters<typeof taskWorkspace>) {
  await using workspace = await makeWorkspace(taskWorkspace(...options));
  const tasks = options[0].flatMap((task) => ['--task', task]);
  const { code, stderr } = await workspace.waybill(['run', ...tasks]);
  expect(code, stderr).toBe(0);
  const runId = workspace.onlyRun() ?? '';
  const [run, events, receipts] = [
    await workspace.show(runId),
    await workspace.events(runId),
    await workspace.receipts(runId),
  ];
  return { output: run.output, events: events.length, receipts: receipts.map(substance) };
}

type Whole = Awaited<ReturnType<typeof undisturbed>>;

/** Invariants 4 and 5, looked at from outside. */
async function assertAsIfNothingHappened(workspace: TestWorkspace, whole: Whole, { runId, crashes, last }: Survived) {
  expect(last.code, last.stderr).toBe(0);
  const run = await workspace.show(runId);
  expect(run).toMatchObject({ state: 'succeeded', interrupted: false, pending: [], output: whole.output });
  const receipts = await workspace.receipts(runId);
  expect(receipts.map(substance)).toEqual(whole.receipts);
  const keys = new Set(whole.receipts.map((receipt) => receipt.idempotencyKey));
  const effects = await workspace.effects();
  expect(new Set(effects.map((effect) => effect.idempotencyKey))).toEqual(keys);
  const bodies = workspace
    .rows('SELECT body FROM receipt WHERE run = ? ORDER BY number', runId)
    .map(({ body }) => body);
  for (const crash of crashes) {
    // No receipt is changed, and no step that had one is executed again.
    expect(bodies.slice(0, crash.receipts.length)).toEqual(crash.receipts);
    for (const { idempotencyKey } of crash.receipts.map(receiptOf)) {
      const times = (list: readonly Effect[]) => list.filter((each) => each.idempotencyKey === idempotencyKey).length;
      expect(times(effects)).toBe(times(crash.effects));
    }
  }
  await workspace.assertIntact(runId);
  // The files say what the store says, and no writer that died left a part behind (R12).
  const ledger = readFileSync(join(workspace.data, 'runs', runId, 'ledger.ndjson'), 'utf8');
  expect(linesOf(ledger).map((line) => JSON.parse(line))).toEqual(await workspace.events(runId));
  const parts = readdirSync(workspace.data, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /\.tmp$/.test(name),
  );
  expect(parts).toEqual([]);
}

test('R19 SIGKILL at random times: the resumed run ends as if it had never crashed', {
  timeout: 1_800_000,
}, async () => {
  const random = Random.printed('R19 random kills');
  const whole = await undisturbed([['T-1'], { loops: true }]);
  expect(whole.receipts.map(({ action }) => action)).toEqual([
    ...['implement', 'review', 'implement_changes', 'review', 'update_spec'],
    ...['implement_changes', 'review', 'update_spec'],
  ]);
  const wanted = full ? 200 : 12;
  const perRun = 4;
  let crashes = 0;
  let whileRunning = 0;
  const lane = async () => {
    while (crashes < wanted) {
      await using workspace = await makeWorkspace(taskWorkspace(['T-1'], { loops: true }));
      const survived = await crashUntilDone(workspace, start, random, { kills: perRun, events: whole.events });
      await assertAsIfNothingHappened(workspace, whole, survived);
      crashes += survived.crashes.length;
      whileRunning += survived.crashes.filter(({ state }) => state === 'running').length;
    }
  };
  await Promise.all([lane(), lane()]);
  expect(crashes).toBeGreaterThanOrEqual(wanted);
  expect(whileRunning).toBeGreaterThan(wanted / 2);
  console.log(`R19 ${crashes} crashes survived, ${whileRunning} of them while the run was running`);
});
