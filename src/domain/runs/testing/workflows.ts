import { defineWorkflow } from '../../../contract/define.ts';

/** Workflows that leave evidence of each kind, for tests of what reads it. */
export const threeSteps = defineWorkflow('three-steps', { snapshot: 'none' }, async (run) => {
  const a = await run.step('a', {}, () => 1);
  const b = await run.step('b', { a }, () => a + 1);
  return await run.step('c', { b }, () => ({ sum: b, text: 'grüße \u{1f30d} "quoted"\n' }));
});

/** As many concurrent steps as the input says, in a tree that is recorded, with an output too large for the ledger. */
export const wide = defineWorkflow('wide', async (run, input) => {
  const count = typeof input === 'number' ? input : 3;
  const items = Array.from({ length: count }, (_, index) => index);
  const sizes = await run.each(items, { key: String }, async (item, each) => {
    const text = await each.step('write', { item }, () => 'x'.repeat(item === 0 ? 70_000 : 10), {
      touchesWorkspace: true,
    });
    return text.length;
  });
  return sizes;
});

export const failing = defineWorkflow('failing', { snapshot: 'none' }, async (run) => {
  const one = await run.step('one', {}, () => 1);
  await run.step('bad', { one }, () => {
    throw new Error('this step always fails');
  });
  return null;
});

/** Gets over one failed step and ends in another: of its receipts 1 and 3 are good. */
export const failingTwice = defineWorkflow('failing-twice', { snapshot: 'none' }, async (run) => {
  const fail = () => {
    throw new Error('this step always fails');
  };
  const one = await run.step('one', {}, () => 1);
  const two = await run.step('optional', { one }, fail).catch(() => 2);
  const three = await run.step('three', { two }, () => 3);
  return await run.step('bad', { three }, fail);
});

/** One step, an approval, one more. */
export const approving = defineWorkflow('approving', { snapshot: 'none' }, async (run) => {
  const before = await run.step('before', {}, () => 'ready');
  const answer = await run.approval('ship', { prompt: 'Ship it?' });
  return await run.step('after', { before, approved: answer.approved }, () => 'done');
});

/** Fails after an approval, in a tree that is recorded. */
export const approvedButBad = defineWorkflow('approved-but-bad', async (run) => {
  const answer = await run.approval('ship', { prompt: 'Ship it?' });
  const { approved } = answer;
  const one = await run.step('one', { approved }, () => 1, { touchesWorkspace: true });
  await run.step('bad', { one }, () => {
    throw new Error('this step always fails');
  });
  return null;
});

export const testWorkflows = [approvedButBad, threeSteps, wide, failing, failingTwice, approving];
