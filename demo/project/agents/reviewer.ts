import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Action, type JsonObject, runAgent } from 'waybill/agent';

// A stand-in for a reviewer. It looks at the code as it is now: it calls the function with an order that must be
// refused, and says where the function begins.

const source = 'src/total.js';

const review: Action = async (command, { workspace, progress }) => {
  const file = join(workspace, source);
  // One process reviews several times: the idempotency key makes each import a fresh one.
  const { total } = await import(`${pathToFileURL(file).href}?${command.idempotencyKey}`);
  const line = (await readFile(file, 'utf8')).split('\n').findIndex((text) => text.includes('function total')) + 1;
  const findings: JsonObject[] = [];
  try {
    const cents = total([{ cents: -500, count: 1 }]);
    findings.push({ path: source, line, message: `a price of -500 is accepted, and the order costs ${cents}` });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  await progress(findings.length === 0 ? 'nothing to complain about' : 'found something');
  return { outputs: { verdict: findings.length === 0 ? 'approved' : 'changes_requested', findings } };
};

await runAgent({ name: 'reviewer', version: '1.0.0', actions: { review } });
