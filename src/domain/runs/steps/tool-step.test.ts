import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { bothStores, dropDatabases } from '../../../../test/support/both-stores.ts';
import { defineWorkflow } from '../../../contract/define.ts';
import { WaybillError } from '../../../contract/errors.ts';
import { isJsonObject, type JsonValue } from '../../../contract/json.ts';
import type { ToolCall } from '../../../contract/tool.ts';
import { loadRun } from '../load-run.ts';
import type { CommandControl, CommandPort } from '../ports.ts';
import { requestRun } from '../requests.ts';
import { openTestWorld, type TestProcess, type TestWorldOptions } from '../testing/engine.ts';
import { eventsOf, until } from '../testing/look.ts';
import { type MemoryTool, memoryTools } from '../testing/memory-tools.ts';
import { runAndDie, substance } from '../testing/run-and-die.ts';
import { toolWorkflow } from '../workflows/tool.ts';

const actor = 'me';
afterAll(dropDatabases);

/** A command port whose program prints this for its input, in pieces of five bytes. */
function printing(answer: (stdin: string, control: CommandControl) => string | Promise<string>): CommandPort['run'] {
  return async (_spec, control) => {
    const bytes = Buffer.from(await answer(control.stdin ?? '', control));
    for (let at = 0; at < bytes.length; at += 5) control.onStdout?.(bytes.subarray(at, at + 5));
    const nothing = { text: '', bytes: 0, digest: `sha256:${'0'.repeat(64)}`, truncated: false };
    control.onGone({ how: 'contained', signaled: 0, left: 0 });
    return { exitCode: 0, stdout: { ...nothing, text: 'a preview' }, stderr: nothing } as Awaited<
      ReturnType<CommandPort['run']>
    >;
  };
}

async function run(process: TestProcess, tool: string, input: JsonValue) {
  const held = await process.runs.start({ workflow: 'tool', input: { tool, input }, actor });
  const outcome = await held.outcome;
  const { receipts } = await loadRun(process.engine.store, held.runId);
  return { runId: held.runId, outcome, receipt: receipts.at(-1)?.receipt };
}

const double: MemoryTool = {
  call: (input) => (isJsonObject(input) && typeof input.n === 'number' ? { twice: input.n * 2 } : null),
  inputProblems: (input) =>
    isJsonObject(input) && typeof input.n === 'number' ? [] : [{ path: 'n', message: 'must be number' }],
  outputProblems: (output) => (isJsonObject(output) ? [] : [{ path: '', message: 'must be object' }]),
};

describe.each(bothStores)('tools on %s', (_, where) => {
  test('the output of a tool is that of its run; the step says which description it used', async () => {
    await using world = await openTestWorld({
      ...(await where()),
      workflows: [toolWorkflow],
      tools: memoryTools({ double }),
    });
    const process = await world.start();
    const { outcome, receipt } = await run(process, 'double', { n: 21 });
    expect(outcome).toMatchObject({ state: 'succeeded', output: { twice: 42 } });
    const { digests } = await process.engine.tools.find('double');
    expect(receipt).toMatchObject({
      action: 'tool',
      step: { name: 'double', occurrence: 1 },
      inputs: { tool: 'double', version: '1.0.0', descriptionDigest: digests.description, input: { n: 21 } },
      outputs: { twice: 42 },
      treeAfter: null,
    });
  });

  test('a run crashed after each of its commits ends as one that was left alone, also one of tools (R19 for tools)', {
    timeout: 60_000,
  }, async () => {
    const mixed = defineWorkflow('mixed', { snapshot: 'none' }, async (run) => {
      const [a, b] = await Promise.all([run.tool('double', { n: 1 }), run.tool('double', { n: 1 })]);
      const c = await run.tool('print', { a, b });
      const refused = await run.tool('double', { n: 'x' }).catch((error: unknown) => codeOf(error));
      const missing = await run.tool('missing', {}).catch((error: unknown) => codeOf(error));
      return { a, b, c, refused, missing };
    });
    const tools = memoryTools({ double, print: { description: { kind: 'command' } } });
    const command = printing((stdin) => JSON.stringify({ got: stdin }));
    const once = async (deathAt: number) => {
      const place = await where();
      const request = { workflow: 'mixed', input: null, actor };
      return runAndDie(() => ({ workflows: [mixed], tools, command, ...place }), request, deathAt);
    };
    const whole = await once(Number.POSITIVE_INFINITY);
    expect(whole.state).toBe('succeeded');
    expect(JSON.parse(whole.output ?? '')).toEqual({
      a: { twice: 2 },
      b: { twice: 2 },
      c: { got: '{"a":{"twice":2},"b":{"twice":2}}\n' },
      refused: 'invalid_input',
      missing: 'tool_not_found',
    });
    const bySubstance = (each: typeof whole) => each.receipts.map((one) => JSON.stringify(substance(one))).toSorted();
    for (let deathAt = 1; deathAt <= whole.operations; deathAt++) {
      const crashed = await once(deathAt);
      expect(crashed).toMatchObject({ died: true, state: 'succeeded', output: whole.output });
      expect(bySubstance(crashed)).toEqual(bySubstance(whole));
    }
    expect(whole.operations).toBeGreaterThan(5);
  });

  test('a call with a receipt is answered from it, though the tool has changed or is gone since', async () => {
    const gate = { open: false, calls: 0 };
    // Redacted before it is recorded: what is looked up must be what was stored.
    const input = { password: 'hunter2hunter2', text: 'Authorization: Bearer abcdefghijklmnop0123456789' };
    const flow = defineWorkflow('flow', { snapshot: 'none' }, async (run) => {
      const first = await run.tool('count', input);
      const second = await run.tool('count', input);
      if (!gate.open) await run.approval('go', { prompt: 'go?' });
      return [first, second];
    });
    const counting = (version: string): MemoryTool => ({
      description: { version },
      call: () => {
        gate.calls += 1;
        return gate.calls;
      },
    });
    const tools: Record<string, MemoryTool> = { count: counting('1') };
    await using world = await openTestWorld({ ...(await where()), workflows: [flow] });
    const first = await world.start({
      tools: {
        find: async (id) => {
          const found = await memoryTools(tools).find(id);
          tools.count = counting('2');
          return found;
        },
      },
    });
    const { runId, outcome } = await first.runs.start({ workflow: 'flow', input: null, actor });
    expect(await outcome).toMatchObject({ kind: 'waiting' });
    const versions = async () =>
      (await loadRun(first.engine.store, runId)).receipts.map(({ receipt }) =>
        isJsonObject(receipt.inputs) ? receipt.inputs.version : null,
      );
    expect(await versions()).toEqual(['1', '2']);
    expect(JSON.stringify(await eventsOf(first, runId))).not.toMatch(/hunter2|abcdefghijklmnop/);
    const second = await world.start({ tools: memoryTools({}) });
    await requestRun(second.engine, runId, { kind: 'approve', step: 'go', comment: null }, { actor });
    const resumed = await second.runs.resume(runId, { actor });
    expect(await resumed.outcome).toMatchObject({ state: 'succeeded', output: [1, 2] });
    expect(gate.calls).toBe(2);
  });

  test('a call left half done is not made with another description; with the old one it goes on under its key', async () => {
    const asked: { readonly tool: string; readonly key: string }[] = [];
    const hanging = Promise.withResolvers<string>();
    const spy =
      (answer: () => string | Promise<string>): CommandPort['run'] =>
      async (spec, control) => {
        asked.push({ tool: spec.env.WAYBILL_RUN_ID ?? '', key: spec.env.WAYBILL_IDEMPOTENCY_KEY ?? '' });
        return printing(answer)(spec, control);
      };
    const tool = (version: string) => memoryTools({ build: { description: { kind: 'command', version } } });
    await using world = await openTestWorld({ ...(await where()), workflows: [toolWorkflow] });
    const first = await world.start({ tools: tool('1'), command: spy(() => hanging.promise) });
    const { runId } = await first.runs.start({ workflow: 'tool', input: { tool: 'build', input: {} }, actor });
    await until(async () => asked.length === 1);
    first.die();
    const changed = await world.start({ tools: tool('2'), command: spy(() => '"new"') });
    const stopped = await changed.runs.resume(runId, { actor });
    await expect(stopped.outcome).rejects.toMatchObject({
      code: 'nondeterministic_workflow',
      details: { step: 'build', path: expect.stringMatching(/descriptionDigest/) },
    });
    expect(asked).toHaveLength(1);
    const removed = await world.start({ tools: memoryTools({}), command: spy(() => '"new"') });
    await expect((await removed.runs.resume(runId, { actor })).outcome).rejects.toMatchObject({
      code: 'nondeterministic_workflow',
    });
    const back = await world.start({ tools: tool('1'), command: spy(() => '"old"') });
    const finished = await back.runs.resume(runId, { actor });
    expect(await finished.outcome).toMatchObject({ state: 'succeeded', output: 'old' });
    expect(asked).toEqual([asked[0], asked[0]]);
  });

  test('a failed tool is called again by a retried run, as it is described by then; good calls are shared', async () => {
    const calls: string[] = [];
    const flow = defineWorkflow('flow', { snapshot: 'none' }, async (run) => [
      await run.tool('good', {}),
      await run.tool('flaky', {}),
    ]);
    const tools = (version: string, output: JsonValue) =>
      memoryTools({
        good: { description: { version }, call: () => calls.push(`good ${version}`) },
        flaky: {
          description: { version },
          call: () => output,
          outputProblems: (value) => (value === null ? [{ path: '', message: 'must not be null' }] : []),
        },
      });
    await using world = await openTestWorld({ ...(await where()), workflows: [flow] });
    const first = await world.start({ tools: tools('1', null) });
    const { runId, outcome } = await first.runs.start({ workflow: 'flow', input: null, actor });
    expect(await outcome).toMatchObject({ state: 'failed', failure: { code: 'tool_output_invalid' } });
    const second = await world.start({ tools: tools('2', 'well') });
    const retried = await second.runs.retryFailed(runId, { actor, reason: 'it was mended' });
    expect(await retried.outcome).toMatchObject({ state: 'succeeded', output: [1, 'well'] });
    expect(calls).toEqual(['good 1']);
  });
});

function codeOf(error: unknown): string {
  return error instanceof WaybillError ? error.code : String(error);
}

async function world(options: TestWorldOptions) {
  return openTestWorld({ workflows: [toolWorkflow], ...options });
}

test('a no-op tool costs the writes of a function step, and not one more', async () => {
  const noop = defineWorkflow('noop', { snapshot: 'none' }, (run) => run.step('noop', {}, () => null));
  await using place = await world({
    workflows: [toolWorkflow, noop],
    tools: memoryTools({ noop: { call: () => null } }),
  });
  const process = await place.start();
  const store: { submit: TestProcess['engine']['store']['submit'] } = process.engine.store;
  const submit = store.submit.bind(process.engine.store);
  let writes = 0;
  store.submit = async (operation) => {
    writes += 1;
    await submit(operation);
  };
  const costOf = async (workflow: string, input: JsonValue) => {
    writes = 0;
    const { runId, outcome } = await process.runs.start({ workflow, input, actor });
    expect(await outcome).toMatchObject({ state: 'succeeded', output: null });
    return { writes, events: (await eventsOf(process, runId)).map(({ type }) => type) };
  };
  const asFunction = await costOf('noop', null);
  expect(await costOf('tool', { tool: 'noop', input: {} })).toEqual(asFunction);
  expect(asFunction.events).toEqual(['run.started', 'attempt.started', 'step.succeeded', 'run.succeeded']);
});

test('the tree after a tool that changes it is recorded, in a retried run too', async () => {
  let output: JsonValue = null;
  const builds: MemoryTool = {
    description: { sideEffects: 'workspace' },
    call: async () => {
      await writeFile(join(place.root, 'built.txt'), `${output}`);
      return output;
    },
    outputProblems: (value) => (value === null ? [{ path: '', message: 'must not be null' }] : []),
  };
  await using place = await world({ tools: memoryTools({ builds }) });
  const process = await place.start();
  const failed = await run(process, 'builds', {});
  expect(failed.outcome).toMatchObject({ failure: { code: 'tool_output_invalid' } });
  const first = failed.receipt?.treeAfter;
  expect(first).toMatch(/^sha256:/);
  output = 'built';
  const options = { actor, reason: 'it was mended', acceptDrift: true };
  const retried = await process.runs.retryFailed(failed.runId, options);
  expect(await retried.outcome).toMatchObject({ state: 'succeeded' });
  const { receipts, row } = await loadRun(process.engine.store, retried.runId);
  expect(row.snapshot_mode).toBe('list');
  expect(receipts.at(-1)?.receipt.treeAfter).toMatch(/^sha256:/);
  expect(receipts.at(-1)?.receipt.treeAfter).not.toBe(first);
});

test('an input that does not fit fails with each path before anything runs, and stays so when the tool changes', async () => {
  const called: JsonValue[] = [];
  const inputProblems = () => [
    { path: '', message: 'must be object' },
    { path: 'a.b', message: 'is missing' },
    { path: '[0]', message: 'must be string' },
  ];
  for (const kind of ['function', 'command'] as const) {
    const strict: MemoryTool = {
      description: { kind, retries: 3 },
      call: (input) => called.push(input),
      inputProblems,
    };
    const command = printing(() => {
      called.push('command');
      return 'null';
    });
    await using place = await world({ tools: memoryTools({ strict }), command });
    const process = await place.start();
    const { runId, outcome, receipt } = await run(process, 'strict', { secret: 'x' });
    expect(outcome).toMatchObject({
      state: 'failed',
      failure: {
        code: 'invalid_input',
        message: expect.stringMatching(/input: must be object; input\.a\.b: is missing; input\[0\]: must be string/),
        details: {
          problems: [
            { path: 'input', message: 'must be object' },
            { path: 'input.a.b', message: 'is missing' },
            { path: 'input[0]', message: 'must be string' },
          ],
        },
      },
    });
    expect(receipt).toMatchObject({ outcome: 'failed', attempts: 1 });
    expect(process.failures).toHaveLength(1);
    expect((await eventsOf(process, runId)).map(({ type }) => type)).toEqual([
      ...['run.started', 'attempt.started', 'step.failed', 'run.failed'],
    ]);
  }
  expect(called).toEqual([]);
});

const cycle: { self?: unknown } = {};
cycle.self = cycle;
const unusable: readonly (readonly [string, unknown, string, RegExp])[] = [
  ['a cycle', cycle, 'tool_output_invalid', /a cycle/],
  ['a date', { at: new Date(0) }, 'tool_output_invalid', /class Date at \/at/],
  ['a function', () => 1, 'tool_output_invalid', /type function/],
  ['not a number', { n: Number.NaN }, 'tool_output_invalid', /NaN at \/n/],
  ['half a character', '\ud800', 'tool_output_invalid', /lone surrogate/],
  ['a number that loses digits', 2 ** 60, 'tool_output_invalid', /2\^53/],
  ['another shape', [1], 'tool_output_invalid', /output\[0\]: must be string/],
  ['more than 8 MiB', 'ä'.repeat(4 * 1024 * 1024), 'tool_output_too_large', /more than 8388608 bytes/],
];
test.each(unusable)('D2 the output %s of a function fails the run with a code', async (_, output, code, message) => {
  const outputProblems = (value: JsonValue) =>
    Array.isArray(value) ? [{ path: '[0]', message: 'must be string' }] : [];
  // What a module gives back has no type.
  const call: MemoryTool['call'] = new Function('output', 'return () => output')(output);
  await using place = await world({ tools: memoryTools({ bad: { ...(call && { call }), outputProblems } }) });
  const process = await place.start();
  const { outcome } = await run(process, 'bad', {});
  expect(outcome).toMatchObject({
    kind: 'finished',
    state: 'failed',
    failure: { code, message: expect.stringMatching(message), details: { step: 'bad' } },
  });
});

const printed: readonly (readonly [string, string, string])[] = [
  ['nothing', ' \n', 'wrote nothing'],
  ['text', 'hello hunter2', 'its 13 bytes are not one JSON document'],
  ['two documents', '{}\n{}', 'not one JSON document'],
  ['a byte order mark', '\ufeff{}', 'not one JSON document'],
  ['the log before it', 'building...\n{"ok":true}', 'not one JSON document'],
  ['half a character', '"\\ud800"', 'lone surrogate'],
  ['nesting without end', `${'['.repeat(600)}${']'.repeat(600)}`, 'nested deeper than 512'],
  ['a number that loses digits', '{"id": 9007199254740993}', '2^53'],
];
test.each(printed)('D2 a command that prints %s fails the run, and its output is not told', async (_, text, why) => {
  const tools = memoryTools({ bad: { description: { kind: 'command' } } });
  await using place = await world({ tools, command: printing(() => text) });
  const process = await place.start();
  const { outcome } = await run(process, 'bad', {});
  expect(outcome).toMatchObject({ state: 'failed', failure: { code: 'tool_output_invalid' } });
  expect(outcome).toMatchObject({ failure: { message: expect.stringContaining(why) } });
  expect(JSON.stringify(outcome)).not.toContain('hunter2');
});

test('a function gets a copy of its input and what it needs to know of the call; its attempts are counted', async () => {
  const calls: ToolCall[] = [];
  const inputs: string[] = [];
  const flaky: MemoryTool = {
    description: { retries: 2 },
    call: (input, call) => {
      inputs.push(JSON.stringify(input));
      if (isJsonObject(input)) Reflect.set(input, 'b', 'changed');
      calls.push(call);
      if (calls.length < 3) throw new Error('not yet');
      return null;
    },
  };
  await using place = await world({ tools: memoryTools({ flaky }) });
  const process = await place.start();
  const { runId, outcome, receipt } = await run(process, 'flaky', { b: 1, a: 2 });
  expect(outcome).toMatchObject({ state: 'succeeded', output: null });
  expect(inputs).toEqual(Array.from({ length: 3 }, () => '{"a":2,"b":1}'));
  expect(receipt).toMatchObject({ attempts: 3, inputs: { input: { a: 2, b: 1 } } });
  const key = receipt?.idempotencyKey;
  expect(calls.map(({ runId: id, idempotencyKey, attempt }) => [id, idempotencyKey, attempt])).toEqual(
    [1, 2, 3].map((attempt) => [runId, key, attempt]),
  );
});

test('D8 a function that takes too long is told so by its signal, and fails with a code', async () => {
  const reasons: unknown[] = [];
  const slow: MemoryTool = {
    description: { timeoutMs: 50 },
    call: (_, { signal }) =>
      new Promise(() => {
        signal.addEventListener('abort', () => reasons.push(signal.reason));
      }),
  };
  await using place = await world({ tools: memoryTools({ slow }) });
  const process = await place.start();
  const { outcome } = await run(process, 'slow', {});
  expect(outcome).toMatchObject({ state: 'failed', failure: { code: 'step_timeout', details: { deadlineMs: 50 } } });
  expect(reasons).toMatchObject([{ code: 'step_timeout' }]);
});

test('a cancel aborts the signal of a function', async () => {
  const begun = Promise.withResolvers<AbortSignal>();
  const slow: MemoryTool = {
    call: (_, { signal }) => {
      begun.resolve(signal);
      return new Promise((resolve) => signal.addEventListener('abort', () => resolve('too late')));
    },
  };
  await using place = await world({ tools: memoryTools({ slow }) });
  const process = await place.start();
  const { runId, outcome } = await process.runs.start({ workflow: 'tool', input: { tool: 'slow', input: {} }, actor });
  const signal = await begun.promise;
  await requestRun(process.engine, runId, { kind: 'cancel', comment: null }, { actor });
  expect(await outcome).toMatchObject({ state: 'canceled' });
  expect(signal.aborted).toBe(true);
});

test('a catalog that cannot be read is no failure of the run: it goes on when that is mended', async () => {
  const broken = new WaybillError('file_read_failed', 'cannot read the tools of the workspace');
  await using place = await world({});
  const first = await place.start({ tools: memoryTools({ double: broken }) });
  const flow = { workflow: 'tool', input: { tool: 'double', input: { n: 2 } }, actor };
  // The description is asked for when the run starts, too: then it does not start.
  await expect(first.runs.start(flow)).rejects.toMatchObject({ code: 'file_read_failed' });
  // Asked for its side effects, for where the run comes from, and then to be called.
  let asked = 0;
  const second = await place.start({
    tools: { find: (id) => memoryTools({ double: ++asked <= 2 ? double : broken }).find(id) },
  });
  const { runId, outcome } = await second.runs.start(flow);
  await expect(outcome).rejects.toMatchObject({ code: 'file_read_failed' });
  const third = await place.start({ tools: memoryTools({ double }) });
  expect(await (await third.runs.resume(runId, { actor })).outcome).toMatchObject({ output: { twice: 4 } });
});
