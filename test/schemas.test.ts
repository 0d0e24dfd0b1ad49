import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { checkout, program } from './support/waybill.ts';
import { linesOf, makeWorkspace, type TestWorkspace } from './support/workspace.ts';

// Everything a real run writes, held against the schemas we ship, by a validator that knows nothing of ours.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

// Both directions of the protocol are kept as they were written.
const configuration = `import { defineConfig, defineWorkflow } from 'waybill';
const outside = process.env.TEST_OUTSIDE;
const tapped = ['sh', '-c', 'tee "$0/to-agent" | "$1" mock-agent --script "$0/talker.json" | tee "$0/from-agent"', outside, ${JSON.stringify(program)}];
const all = defineWorkflow('all', { snapshot: 'content' }, async (run) => {
  const { outputs } = await run.agent('talker', { action: 'talk', inputs: { n: 1 }, expectedOutputs: ['made.txt'] });
  await run.exec(['sh', '-c', 'echo out; echo err >&2']);
  await run.step('count', {}, () => 1);
  await run.sleep('moment', 10);
  await run.exec(['false']).catch(() => {});
  return { outputs, at: (await run.now()) > 0 };
});
export default defineConfig({
  workflows: [all],
  agents: { talker: { command: tapped, setEnv: { WAYBILL_AGENT_STATE: outside + '/state/talker' } } },
});
`;
const talker = {
  heartbeatMs: 200,
  actions: {
    talk: [
      [
        { do: 'log', message: 'a line', level: 'warning' },
        { do: 'progress', message: 'half', data: { percent: 50 } },
        { do: 'delay', ms: 600 },
        { do: 'write', path: 'made.txt', content: 'made\n' },
        { do: 'complete', outputs: { text: 'x'.repeat(70_000) }, artifacts: ['made.txt'] },
      ],
    ],
  },
};

const folder = join(checkout, 'schemas', 'v1');
const ajv = new Ajv2020({ strict: true, strictTypes: false, strictTuples: false, allErrors: true });
formats.default(ajv);
const compiled = new Map<string, ValidateFunction>();

function assertValid(schema: string, text: string): void {
  const validate =
    compiled.get(schema) ??
    ajv.compile(
      z.record(z.string(), z.unknown()).parse(JSON.parse(readFileSync(join(folder, `${schema}.v1.json`), 'utf8'))),
    );
  compiled.set(schema, validate);
  if (!validate(JSON.parse(text))) expect.fail(`${schema}: ${ajv.errorsText(validate.errors)}\n${text.slice(0, 500)}`);
}

let workspace: TestWorkspace;
let runId = '';
let streamed: readonly string[] = [];
beforeAll(async () => {
  workspace = await makeWorkspace({ configuration, outside: { 'talker.json': JSON.stringify(talker) } });
  const done = await workspace.waybill(['run', '--workflow', 'all', '--json']);
  expect(done.code, done.stdout + done.stderr).toBe(0);
  streamed = linesOf(done.stdout);
  runId = workspace.onlyRun() ?? '';
});
afterAll(() => workspace[Symbol.asyncDispose]());

describe('R11 what a real run writes fits the shipped schemas', () => {
  test('the lines of both sides of the agent protocol', () => {
    const sent = linesOf(readFileSync(join(workspace.outside, 'to-agent'), 'utf8'));
    expect(sent.length).toBe(1);
    for (const line of sent) assertValid('command', line);
    const said = linesOf(readFileSync(join(workspace.outside, 'from-agent'), 'utf8'));
    const types = said.map((line) => z.looseObject({ type: z.string() }).parse(JSON.parse(line)).type);
    expect(new Set(types)).toEqual(new Set(['hello', 'log', 'event', 'heartbeat']));
    for (const [index, line] of said.entries()) assertValid(types[index] ?? '', line);
  });

  test('events and the run as they are streamed, and as they are asked for', async () => {
    expect(streamed.length).toBeGreaterThan(15);
    assertValid('run-state', streamed.at(-1) ?? '');
    for (const line of streamed.slice(0, -1)) assertValid('event', line);
    const asked = linesOf((await workspace.waybill(['events', runId, '--json'])).stdout);
    expect(asked).toEqual(streamed.slice(0, -1));
    const shown = await workspace.waybill(['show', runId, '--json']);
    assertValid('run-state', shown.stdout);
    const one = await workspace.waybill(['show', runId, '--step', '1', '--json']);
    assertValid('receipt', one.stdout);
  });

  test('every evidence file, and every line of the ledger', async () => {
    const runs = join(workspace.data, 'runs', runId);
    const files = readdirSync(runs, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    const kinds: Record<string, number> = {};
    for (const { parentPath, name } of files) {
      const text = readFileSync(join(parentPath, name), 'utf8');
      const kind = schemaOf(name);
      kinds[kind] = (kinds[kind] ?? 0) + 1;
      if (kind === 'event') {
        expect(linesOf(text)).toHaveLength(streamed.length - 1);
        for (const line of linesOf(text)) assertValid(kind, line);
      } else assertValid(kind, text);
    }
    const receipts = (await workspace.receipts(runId)).length;
    expect(receipts).toBe(6);
    expect(kinds).toEqual({ event: 1, 'run-state': 1, 'snapshot-manifest': 1, receipt: receipts });
  });

  test('the bundle', async () => {
    const path = join(workspace.outside, 'bundle.json');
    expect((await workspace.waybill(['export', runId, '--out', path])).code).toBe(0);
    assertValid('bundle', readFileSync(path, 'utf8'));
  });
});

function schemaOf(file: string): string {
  if (file === 'ledger.ndjson') return 'event';
  if (file === 'run.json') return 'run-state';
  if (file === 'snapshot.json') return 'snapshot-manifest';
  return /^step-\d+\.json$/.test(file) ? 'receipt' : expect.fail(`a file without a schema: ${basename(file)}`);
}
