import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type Action, runAgent } from 'waybill/agent';
import { runTests } from './run-tests.ts';

// A stand-in for a coding agent. It knows only this project, but what it does is real: it edits the files, runs the
// test suite and answers with the result. Every edit looks first whether it is made already: a command can come
// twice, because the first time ended in a crash.

const source = 'src/total.js';
const tests = 'test/total.test.js';

async function edit(file: string, change: (text: string) => string): Promise<void> {
  await writeFile(file, change(await readFile(file, 'utf8')));
}

const implement: Action = async (_, { workspace, signal, progress, artifact }) => {
  await edit(join(workspace, source), (text) =>
    text.replace('  return sum;\n', '  return sum < 10_000 ? sum : sum - Math.floor(sum / 10);\n'),
  );
  await progress(`${source} is edited; running the tests`);
  return { outputs: { tests: await runTests(workspace, signal) }, artifacts: [await artifact(source)] };
};

const guard = `  if (lines.some((line) => line.cents < 0)) throw new RangeError('a price is never negative');\n`;

const guardTest = `
test('a negative price is refused', () => {
  assert.throws(() => total([{ cents: -1, count: 1 }]), RangeError);
});
`;

const implementChanges: Action = async (command, { workspace, signal, progress, artifact }) => {
  await progress(`asked for: ${JSON.stringify(command.inputs.findings).slice(0, 120)}`);
  await edit(join(workspace, source), (text) =>
    text.includes(guard) ? text : text.replace('total(lines) {\n', `total(lines) {\n${guard}`),
  );
  await progress(`${source} is edited; thinking about a test for it`);
  await pause(2_000, undefined, { signal });
  await edit(join(workspace, tests), (text) => (text.includes(guardTest) ? text : text + guardTest));
  await progress(`${tests} is edited; running the tests`);
  const result = await runTests(workspace, signal);
  return { outputs: { tests: result }, artifacts: [await artifact(source), await artifact(tests)] };
};

await runAgent({ name: 'builder', version: '1.0.0', actions: { implement, implement_changes: implementChanges } });
