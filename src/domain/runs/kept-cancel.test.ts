import { expect, test } from 'vitest';
import { randomHex } from '../../platform/ids/make-id.ts';
import { openTestWorld } from './testing/engine.ts';
import { counting, eventsOf } from './testing/look.ts';

test('R42 a cancel its holder did not live to serve is served before anything of the run is executed again', async () => {
  const executed: string[] = [];
  const begun = Promise.withResolvers<void>();
  const workflow = counting('endless', executed, (count) => async (run) => {
    count('workflow');
    await run.step('work', {}, () => {
      count('work');
      begun.resolve();
      return new Promise<null>(() => {});
    });
    return null;
  });
  await using world = await openTestWorld({ workflows: [workflow] });
  const first = await world.start();
  const { runId } = await first.runs.start({ workflow: 'endless', input: null, actor: 'me' });
  await begun.promise;
  first.die();
  const second = await world.start();
  const row = { id: `req_${randomHex(16)}`, run: runId, kind: 'cancel' as const, actor: 'boss', payload: '{}' };
  const open = { idempotency_key: null, created_at: second.engine.clock.now(), done_at: null, outcome: null };
  await second.engine.store.write(async (tx) => {
    await tx.db
      .insertInto('run_request')
      .values({ ...row, ...open })
      .execute();
  });
  const { outcome } = await second.runs.resume(runId, { actor: 'me' });
  expect(await outcome).toMatchObject({ kind: 'finished', state: 'canceled' });
  expect(executed).toEqual(['workflow', 'work']);
  const types = (await eventsOf(second, runId)).map(({ type }) => type);
  expect(types.slice(-3)).toEqual(['run.resumed', 'cancel.requested', 'run.canceled']);
});
