import { describe, expect, expectTypeOf, test } from 'vitest';
import { z } from 'zod';
import { type AgentConfiguration, parseConfiguration } from './configuration.ts';
import { defineConfig, defineWorkflow } from './define.ts';
import { WaybillError } from './errors.ts';
import type { JsonValue } from './json.ts';
import type { AnyWorkflow, RunContext } from './workflow.ts';

function unused(): never {
  throw new Error('the workflows of these tests ask nothing of their run');
}

const run: RunContext = {
  runId: 'run-20260101-000000-00000000',
  task: null,
  agent: unused,
  exec: unused,
  tool: unused,
  step: unused,
  decide: unused,
  approval: unused,
  signal: unused,
  sleep: unused,
  each: unused,
  scope: unused,
  onTask: unused,
  now: unused,
  random: unused,
  uuid: unused,
};

describe('defineWorkflow', () => {
  test('gives the function its parsed input, typed, and forgets the type outside', async () => {
    const workflow = defineWorkflow(
      'greet',
      { input: z.object({ who: z.string(), times: z.int().default(2) }) },
      async (context, input) => {
        expectTypeOf(context).toEqualTypeOf<RunContext>();
        expectTypeOf(input).toEqualTypeOf<{ who: string; times: number }>();
        return `${input.who} `.repeat(input.times);
      },
    );
    expectTypeOf(workflow).toEqualTypeOf<AnyWorkflow>();
    expect(await workflow.start(run, { who: 'Ada' })).toBe('Ada Ada ');
    expect(workflow).toMatchObject({ name: 'greet', snapshot: 'list', version: null });
  });

  test('without a schema the input is any JSON, with or without options', async () => {
    const plain = defineWorkflow('plain', async (_, input) => {
      expectTypeOf(input).toEqualTypeOf<JsonValue>();
      return input;
    });
    const optioned = defineWorkflow('optioned', { snapshot: 'none', version: '3' }, async (_, input) => input);
    expect(await plain.start(run, [1])).toEqual([1]);
    expect(plain.problems('anything')).toEqual([]);
    expect(optioned).toMatchObject({ snapshot: 'none', version: '3' });
  });

  test('an input that does not fit is refused with the path of each problem, before the function runs', async () => {
    let ran = false;
    const workflow = defineWorkflow(
      'strict',
      { input: z.object({ files: z.array(z.object({ path: z.string() })), n: z.number() }) },
      async () => {
        ran = true;
        return undefined;
      },
    );
    const bad = { files: [{ path: 'a' }, { path: 7 }], n: 'x' };
    expect(workflow.problems(bad).map((problem) => problem.path)).toEqual(['files[1].path', 'n']);
    await expect(workflow.start(run, bad)).rejects.toMatchObject({
      code: 'invalid_input',
      message: expect.stringContaining('files[1].path: expected string'),
    });
    expect(ran).toBe(false);
  });

  test('a name that could not be a folder is refused', () => {
    expect(() => defineWorkflow('../up', async () => undefined)).toThrow(WaybillError);
  });

  test('a result that is no JSON does not compile', () => {
    // @ts-expect-error a Date is not JSON
    defineWorkflow('date', async () => new Date());
    // @ts-expect-error the schema decides the type of the input
    defineWorkflow('typed', { input: z.object({ a: z.string() }) }, async (_, input: { a: number }) => input.a);
  });
});

describe('defineConfig', () => {
  test('everything has a default', () => {
    expect(parseConfiguration(defineConfig({}))).toEqual({
      agents: {},
      workflows: [],
      roles: { builder: null, reviewer: null, specMaintainer: null },
      maxIterations: 5,
      snapshot: { include: [], exclude: [] },
      evidence: null,
      store: { engine: 'sqlite' },
      redact: { env: [], patterns: [] },
      daemon: { concurrency: 16, maxQueue: 1000, drainMs: 10_000, heartbeatMs: 15_000, bodyBytes: 16_777_216 },
      tools: { permissions: ['workspace.read', 'workspace.write', 'network'], concurrency: {} },
      retention: { runDays: null, runCount: null, envelopeDays: 90 },
      registry: {
        gates: [],
        draftDays: 14,
        uploadHours: 24,
        tombstoneDays: 30,
        graceHours: 24,
        maxBlobBytes: 17_179_869_184,
      },
      webhooks: { allowPrivate: [], maxAttempts: 8, timeoutMs: 10_000, backoffMs: 5_000, maxBackoffMs: 3_600_000 },
      provenance: { hostHash: false },
      tests: { allowedFailures: [] },
    });
  });

  test('an agent gets its name, its transport and the defaults of its bounds', () => {
    const { agents, roles } = parseConfiguration(
      defineConfig({
        agents: {
          builder: { command: ['node', 'builder.mjs'], deadlineMs: 5 },
          other: { transport: 'exec', command: ['true'] },
        },
        roles: { reviewer: 'other' },
      }),
    );
    const { builder, other } = agents;
    expect(builder).toMatchObject({
      name: 'builder',
      transport: 'stdio',
      command: ['node', 'builder.mjs'],
      deadlineMs: 5,
      retries: 2,
      graceMs: 5000,
    });
    expect(other?.transport).toBe('exec');
    expect(roles).toEqual({ builder: 'builder', reviewer: 'other', specMaintainer: null });
  });

  test('a store address is taken apart', () => {
    expect(parseConfiguration({ store: 'postgres://u@h/db' }).store).toEqual({
      engine: 'postgres',
      url: 'postgres://u@h/db',
      role: null,
    });
  });

  test('the answer of a function agent is checked', async () => {
    const digest = `sha256:${'0'.repeat(64)}`;
    const { agents } = parseConfiguration(
      defineConfig({
        agents: {
          good: {
            handler: async (command) => ({
              outputs: { did: command.action },
              artifacts: [{ path: 'a', size: 1, digest }],
            }),
          },
          // @ts-expect-error a digest is text
          bad: { handler: () => ({ artifacts: [{ path: 'a', size: -1, digest: 7 }] }) },
        },
      }),
    );
    const ask = (agent: AgentConfiguration | undefined) =>
      agent?.handler?.(
        {
          idempotencyKey: 'ik:',
          runId: 'run',
          task: null,
          step: 's',
          attempt: 1,
          resent: false,
          action: 'build',
          inputs: {},
          expectedOutputs: [],
          snapshot: null,
        },
        new AbortController().signal,
      );
    expect(await ask(agents.good)).toEqual({
      outputs: { did: 'build' },
      artifacts: [{ path: 'a', size: 1, digest }],
    });
    await expect(ask(agents.bad)).rejects.toMatchObject({
      code: 'agent_error',
      message: expect.stringContaining('artifacts[0].size'),
    });
  });

  test.each<[string, unknown, string[]]>([
    ['no object', 7, ['']],
    [
      'an unknown setting',
      { agnets: {}, agents: { a: { command: ['x'], retires: 1 } } },
      ['agents.a.retires', 'agnets'],
    ],
    ['a command that is a text', { agents: { 'a-b': { command: 'npm test' } } }, ['agents["a-b"].command']],
    ['no command', { agents: { a: {} } }, ['agents.a.command']],
    ['a function without a handler', { agents: { a: { transport: 'function' } } }, ['agents.a.handler']],
    ['a command for a function', { agents: { a: { handler: () => ({}), command: ['x'] } } }, ['agents.a.command']],
    ['a bad agent name', { agents: { '../a': { command: ['x'] } } }, ['agents["../a"]']],
    [
      'numbers out of range',
      { agents: { a: { command: ['x'], deadlineMs: 2 ** 31, retries: -1, graceMs: 0.5 } } },
      ['agents.a.deadlineMs', 'agents.a.retries', 'agents.a.graceMs'],
    ],
    [
      'an environment name',
      { agents: { a: { command: ['x'], allowEnv: ['A=B'], setEnv: { 'x y': 'z' } } } },
      ['agents.a.allowEnv[0]', 'agents.a.setEnv["x y"]'],
    ],
    ['a role without agent', { agents: { a: { command: ['x'] } }, roles: { builder: 'b' } }, ['roles.builder']],
    ['no workflow', { workflows: [() => 1] }, ['workflows[0]']],
    [
      'two workflows of one name',
      { workflows: [defineWorkflow('w', async () => 1), defineWorkflow('w', async () => 2)] },
      ['workflows[1]'],
    ],
    ['a store nobody has', { store: 'mysql://x' }, ['store']],
    ['a pattern', { redact: { patterns: [''] } }, ['redact.patterns[0]']],
  ])('names the path of the problem: %s', (_, value, paths) => {
    let caught: unknown;
    try {
      parseConfiguration(value);
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(WaybillError);
    if (!(caught instanceof WaybillError)) return;
    expect(caught).toMatchObject({ code: 'config_invalid', exitCode: 2 });
    const problems = z.array(z.object({ path: z.string(), message: z.string() })).parse(caught.details?.problems);
    expect(problems.map((problem) => problem.path).sort()).toEqual([...paths].sort());
    for (const problem of problems) expect(caught.message).toContain(problem.message);
  });
});
