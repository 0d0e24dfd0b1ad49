import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { bothStores, dropDatabases } from '../../../test/support/both-stores.ts';
import type { AuditAction } from '../../contract/audit.ts';
import { defineWorkflow } from '../../contract/define.ts';
import type { RunId } from '../../contract/ids.ts';
import { writeBundle } from './evidence/bundle.ts';
import { importBundle } from './evidence/import-bundle.ts';
import { enqueueRun } from './queue/enqueue-run.ts';
import { type RunRequest, requestRun } from './requests.ts';
import { openTestWorld, type TestProcess } from './testing/engine.ts';
import { threeSteps } from './testing/workflows.ts';

afterAll(dropDatabases);

const waiting = defineWorkflow('waiting', { snapshot: 'none' }, async (run) => {
  await run.approval('ship', { prompt: 'Ship it?' });
  return await run.signal('go');
});

async function start({ runs }: TestProcess, workflow: string): Promise<RunId> {
  const { runId, outcome } = await runs.start({ workflow, input: null, actor: 'starter' });
  await outcome;
  return runId;
}

async function recordsOf({ engine }: TestProcess, runId: RunId, action: AuditAction) {
  return await engine.store.read(({ db }) =>
    db
      .selectFrom('audit')
      .select(['action', 'actor', 'outcome', 'resource'])
      .where('resource', '=', runId)
      .where('action', '=', action)
      .execute(),
  );
}

const requests: readonly (readonly [AuditAction, RunRequest])[] = [
  ['run.approve.requested', { kind: 'approve', step: 'ship', comment: null }],
  ['run.deny.requested', { kind: 'deny', step: 'ship', comment: null }],
  ['run.signal.requested', { kind: 'signal', name: 'go', payload: null }],
  ['run.cancel.requested', { kind: 'cancel', comment: 'enough' }],
  ['run.pause.requested', { kind: 'pause' }],
];

describe.each(bothStores)('who did what to a run, on %s', (_name, open) => {
  test.each(requests)('G19 %s has a record in the transaction of the request', async (action, request) => {
    await using world = await openTestWorld({ ...(await open()), workflows: [waiting] });
    const process = await world.start();
    const runId = await start(process, 'waiting');
    await requestRun(process.engine, runId, request, { actor: 'boss' });
    expect(await recordsOf(process, runId, action)).toEqual([
      { action, actor: 'boss', outcome: 'succeeded', resource: runId },
    ]);
    expect(await recordsOf(process, runId, 'run.started')).toMatchObject([{ actor: 'starter' }]);
  });

  test('G19 run.enqueued and run.imported have theirs', async () => {
    await using world = await openTestWorld({ ...(await open()), workflows: [waiting, threeSteps] });
    const process = await world.start();
    const resting = await start(process, 'waiting');
    await enqueueRun(process.engine, resting, { actor: 'boss', acceptDrift: false });
    expect(await recordsOf(process, resting, 'run.enqueued')).toMatchObject([{ actor: 'boss', outcome: 'succeeded' }]);

    const done = await start(process, 'three-steps');
    const file = join(world.root, 'run.bundle');
    await writeBundle(process.engine, done, file);
    await using elsewhere = await openTestWorld(await open());
    const other = await elsewhere.start();
    await importBundle(other.engine, file, 'boss');
    expect(await recordsOf(other, done, 'run.imported')).toMatchObject([{ actor: 'boss', outcome: 'succeeded' }]);
  });
});
