import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Action, runAgent } from 'waybill/agent';

// A stand-in for whoever keeps the specification: it writes down what the code does now.

const section = `
An order of 100.00 or more gets ten percent off; the discount is rounded down to whole cents. A negative price is
refused.
`;

const updateSpec: Action = async (_, { workspace, progress, artifact }) => {
  const file = join(workspace, 'SPEC.md');
  const text = await readFile(file, 'utf8');
  // Said already? Then by this very command, before a crash.
  if (!text.includes(section)) await writeFile(file, text + section);
  await progress('SPEC.md says what the code does');
  return { outputs: { verdict: 'updated' }, artifacts: [await artifact('SPEC.md')] };
};

await runAgent({ name: 'specMaintainer', version: '1.0.0', actions: { update_spec: updateSpec } });
