import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { parseConfiguration } from '../src/contract/configuration.ts';
import type { JsonValue } from '../src/contract/json.ts';
import type { ToolDescriptionInput } from '../src/contract/tool.ts';
import { describeRun } from '../src/domain/runs/describe-run.ts';
import { loadRun } from '../src/domain/runs/load-run.ts';
import { requestRun } from '../src/domain/runs/requests.ts';
import { openTestWorld, type TestProcess, type TestWorld } from '../src/domain/runs/testing/engine.ts';
import { eventsOf } from '../src/domain/runs/testing/look.ts';
import { toolWorkflow } from '../src/domain/runs/workflows/tool.ts';
import { createToolCatalog } from '../src/domain/workspace/tools/tool-catalog.ts';
import { buildEnvironment } from '../src/executors/processes/environment.ts';
import { createExecPort } from '../src/executors/processes/exec.ts';
import { processesLike, sleepers, uniqueSeconds, until } from '../src/executors/processes/fixtures/living.ts';
import { testedWays } from '../src/executors/processes/fixtures/ways.ts';
import { createProcessPort } from '../src/executors/processes/process-port.ts';

// Tools as processes: described in a workspace, called by runs, and as hostile as programs can be.
vi.setConfig({ testTimeout: 120_000 });
const full = process.env.WAYBILL_TEST_FULL === '1';
const actor = 'me';

interface Script {
  readonly sh: string;
  readonly description?: Partial<ToolDescriptionInput>;
}

function write(world: TestWorld, path: string, text: string): void {
  const file = join(world.root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

/** A tool that is a script of the shell in its own folder. */
function describeScript(world: TestWorld, id: string, { sh, description }: Script): void {
  const program = `waybill.tools/${id}/run.sh`;
  write(world, program, `#!/bin/sh\n${sh}\n`);
  chmodSync(join(world.root, program), 0o755);
  const whole: ToolDescriptionInput = {
    schema: 'waybill.tool.v1',
    ...{ id, version: '1', title: id, description: id, kind: 'command', command: ['./run.sh'] },
    ...{ inputSchema: true, outputSchema: true, sideEffects: 'none' },
    ...description,
  };
  write(world, `waybill.tools/${id}/tool.json`, JSON.stringify(whole));
}

const environment: Readonly<Record<string, string>> = {
  PATH: process.env.PATH ?? '',
  ALLOWED: 'may pass',
  SECRET: 'may not pass',
};

describe.each(await testedWays())('$how: $means', (containment) => {
  const processes = createProcessPort(containment);
  const commands = createExecPort(processes);

  async function scene(tools: Readonly<Record<string, Script>>) {
    const world = await openTestWorld({
      workflows: [toolWorkflow],
      command: commands.run,
      environment: (rules) => buildEnvironment(environment, rules),
    });
    for (const [id, script] of Object.entries(tools)) describeScript(world, id, script);
    const catalog = createToolCatalog({ root: world.root, configurationPath: null }, parseConfiguration({}));
    const program = await world.start({ tools: catalog });
    return { world, program, [Symbol.asyncDispose]: () => world[Symbol.asyncDispose]() };
  }

  async function call(program: TestProcess, tool: string, input: JsonValue = {}) {
    const { runId, outcome } = await program.runs.start({ workflow: 'tool', input: { tool, input }, actor });
    const ended = await outcome;
    const { receipts } = await loadRun(program.engine.store, runId);
    return { runId, ended, receipt: receipts.at(-1)?.receipt, events: await eventsOf(program, runId) };
  }

  test('a tool gets its input on stdin and gives its output on stdout; the ledger has what it says on stderr', async () => {
    await using place = await scene({
      echo: {
        sh: `echo "working on it" >&2
printf '{"got": %s, "cwd": "%s", "tool": "%s", "folder": "%s", "allowed": "%s", "secret": "%s", "run": "%s"}' \\
  "$(cat)" "$PWD" "$WAYBILL_TOOL" "$WAYBILL_TOOL_FOLDER" "$ALLOWED" "$SECRET" "$WAYBILL_RUN_ID"`,
        description: { allowEnv: ['ALLOWED'], permissions: ['workspace.read'] },
      },
    });
    const { world, program } = place;
    const { runId, ended, events } = await call(program, 'echo', { b: 'ä "quoted"', a: [1] });
    expect(ended).toMatchObject({ state: 'succeeded' });
    expect(ended).toMatchObject({
      output: {
        got: { a: [1], b: 'ä "quoted"' },
        cwd: world.root,
        tool: 'echo',
        folder: join(world.root, 'waybill.tools/echo'),
        allowed: 'may pass',
        secret: '',
        run: runId,
      },
    });
    const output = events.filter(({ type }) => type === 'process.output').map(({ data }) => [data.stream, data.text]);
    expect(output).toEqual([['stderr', 'working on it\n']]);
    expect(events.map(({ type }) => type)).toContain('process.ended');
  });

  test('D8 1 MiB of input: read whole, and never read', async () => {
    await using place = await scene({
      counts: { sh: 'wc -c | tr -d " "' },
      ignores: { sh: 'echo null' },
    });
    const text = 'x'.repeat(1 << 20);
    expect((await call(place.program, 'counts', text)).ended).toMatchObject({ output: text.length + 3 });
    expect((await call(place.program, 'ignores', text)).ended).toMatchObject({ state: 'succeeded', output: null });
  });

  const failing: readonly (readonly [string, Script, string, RegExp])[] = [
    [
      'that is not there',
      { sh: '', description: { command: ['./nowhere.sh'] } },
      'process_spawn_failed',
      /no such file/,
    ],
    ['that is not on the PATH', { sh: '', description: { command: ['no-such-tool'] } }, 'process_spawn_failed', /PATH/],
    [
      'that may not be executed',
      { sh: '', description: { command: ['./tool.json'] } },
      'process_spawn_failed',
      /executable/,
    ],
    [
      'with an interpreter that is not there',
      { sh: '', description: { command: ['./bad.sh'] } },
      'process_exit',
      /126|127/,
    ],
    ['that ends with an exit code', { sh: 'echo "no luck" >&2; echo {}; exit 3' }, 'process_exit', /exit code 3/],
    ['that is killed', { sh: 'kill -KILL $$' }, 'process_signal', /SIGKILL/],
    ['that prints bytes that are not UTF-8', { sh: `printf '"a\\377"'` }, 'tool_output_invalid', /not UTF-8/],
    ['that prints half a character', { sh: `printf '"\\342\\202'` }, 'tool_output_invalid', /not UTF-8/],
    ['that prints what is not JSON', { sh: 'echo done' }, 'tool_output_invalid', /not one JSON document/],
    [
      'whose output does not fit',
      {
        sh: `echo '{"n": "x"}'`,
        description: { outputSchema: { type: 'object', properties: { n: { type: 'number' } } } },
      },
      'tool_output_invalid',
      /output\.n: must be number/,
    ],
  ];
  test.each(failing)('D2 D8 a tool %s fails the run with a code', async (_, script, code, message) => {
    await using place = await scene({ bad: script });
    write(place.world, 'waybill.tools/bad/bad.sh', '#!/no/such/interpreter\n');
    chmodSync(join(place.world.root, 'waybill.tools/bad/bad.sh'), 0o755);
    const { ended, receipt } = await call(place.program, 'bad');
    expect(ended).toMatchObject({
      kind: 'finished',
      state: 'failed',
      failure: { code, message: expect.stringMatching(message), details: { step: 'bad' } },
    });
    expect(receipt).toMatchObject({ outcome: 'failed', failure: { code } });
    expect(place.program.failures).toMatchObject([{ code, step: 'bad' }]);
  });

  test('a run shows how its last command ended: a good tool with 0, a bad one with its code, a function not at all', async () => {
    const module = { kind: 'function', module: 'main.js', command: undefined } as const;
    await using place = await scene({
      good: { sh: `echo '{"exitCode": 7}'` },
      bad: { sh: 'exit 3' },
      pure: { sh: '', description: module },
    });
    write(place.world, 'waybill.tools/pure/main.js', 'export default () => ({ exitCode: 7 });');
    const exitOf = async (tool: string) => {
      const { runId } = await call(place.program, tool);
      return (await describeRun(place.program.engine, runId)).exit;
    };
    expect(await exitOf('good')).toEqual({ code: 0, signal: null });
    expect(await exitOf('bad')).toEqual({ code: 3, signal: null });
    expect(await exitOf('pure')).toBe(null);
  });

  test('D8 a tool that prints without end is stopped early, in bounded memory, and its ledger stays small', async () => {
    const mebibytes = full ? 1024 : 64;
    await using place = await scene({
      flood: { sh: `head -c ${mebibytes}M /dev/zero | tr '\\0' x; echo done > finished` },
      drips: { sh: `while :; do printf ' '; done`, description: { timeoutMs: 1500 } },
    });
    const before = process.memoryUsage.rss();
    let highest = 0;
    const watch = setInterval(() => {
      highest = Math.max(highest, process.memoryUsage.rss());
    }, 5);
    const { ended, events } = await call(place.program, 'flood').finally(() => clearInterval(watch));
    expect(ended).toMatchObject({
      state: 'failed',
      failure: { code: 'tool_output_too_large', details: { limit: 8 * 1024 * 1024 } },
    });
    expect(highest).toBeGreaterThan(0);
    expect(highest - before).toBeLessThan(96 * 1024 * 1024);
    expect(events.map(({ body }) => body.length).reduce((sum, length) => sum + length, 0)).toBeLessThan(20_000);
    expect((await call(place.program, 'drips')).ended).toMatchObject({ failure: { code: 'process_timeout' } });
  });

  test('D8 the whole of what fits is the output: 4 MiB, kept beside the ledger', async () => {
    await using place = await scene({
      large: { sh: `printf '"'; head -c 4194304 /dev/zero | tr '\\0' x; printf '"'` },
    });
    const { ended, receipt } = await call(place.program, 'large');
    expect(ended).toMatchObject({ state: 'succeeded', output: 'x'.repeat(4 << 20) });
    expect(receipt?.outputsBlob).toMatchObject({ size: (4 << 20) + 2 });
  });

  test('D8 a tool that times out with grandchildren alive: failed in time, and nothing is left', async () => {
    const seconds = uniqueSeconds();
    await using place = await scene({
      hangs: {
        sh: `trap '' TERM; setsid sleep ${seconds} & sleep ${seconds} & while :; do sleep 1; done`,
        description: { timeoutMs: 1500 },
      },
    });
    const start = performance.now();
    const { ended } = await call(place.program, 'hangs');
    expect(ended).toMatchObject({ state: 'failed', failure: { code: 'process_timeout' } });
    expect(performance.now() - start).toBeLessThan(20_000);
    expect(processesLike(new RegExp(`\\b${seconds}\\b`))).toEqual([]);
  });

  test('a tool that succeeds leaves no grandchild, and a cancel ends all of it', async () => {
    const seconds = uniqueSeconds();
    await using place = await scene({
      leaves: { sh: `setsid sleep ${seconds} > /dev/null 2>&1 & echo true` },
      waits: { sh: `setsid sleep ${seconds} & sleep ${seconds}; echo true` },
    });
    expect((await call(place.program, 'leaves')).ended).toMatchObject({ state: 'succeeded', output: true });
    expect(sleepers(seconds)).toEqual([]);
    const { runs, engine } = place.program;
    const { runId, outcome } = await runs.start({ workflow: 'tool', input: { tool: 'waits', input: {} }, actor });
    await until('both are there', () => sleepers(seconds).length === 2, 20_000);
    await requestRun(engine, runId, { kind: 'cancel', comment: null }, { actor });
    expect(await outcome).toMatchObject({ state: 'canceled' });
    expect(sleepers(seconds)).toEqual([]);
  });

  test('what a tool promises to write becomes an artifact; what is missing fails the run', async () => {
    const description: Script['description'] = { artifacts: ['out/report.txt'], sideEffects: 'workspace' };
    await using place = await scene({
      writes: { sh: 'mkdir -p out; echo hello > out/report.txt; echo null', description },
      forgets: { sh: 'rm -rf out; echo null', description },
      again: {
        sh: 'n=$(cat tries 2>/dev/null); echo x >> tries; [ -n "$n" ] && echo true',
        description: { retries: 1 },
      },
    });
    const { receipt } = await call(place.program, 'writes');
    expect(receipt).toMatchObject({
      expectedOutputs: ['out/report.txt'],
      artifacts: [{ path: 'out/report.txt', size: 6 }],
    });
    expect((await call(place.program, 'forgets')).ended).toMatchObject({ failure: { code: 'artifact_missing' } });
    const retried = await call(place.program, 'again');
    expect(retried.ended).toMatchObject({ state: 'succeeded', output: true });
    expect(retried.receipt).toMatchObject({ attempts: 2 });
    expect(readFileSync(join(place.world.root, 'tries'), 'utf8')).toBe('x\nx\n');
  });
});
