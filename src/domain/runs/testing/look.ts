import { defineWorkflow } from '../../../contract/define.ts';
import type { RunId } from '../../../contract/ids.ts';
import type { JsonObject } from '../../../contract/json.ts';
import type { AnyWorkflow } from '../../../contract/workflow.ts';
import type { TestProcess } from './engine.ts';

/** The stored events of a run, with their data. */
export async function eventsOf(process: TestProcess, runId: RunId) {
  const rows = await process.engine.store.read((tx) =>
    tx.db.selectFrom('run_event').select(['seq', 'type', 'body']).where('run', '=', runId).orderBy('seq').execute(),
  );
  return rows.map((row) => ({ ...row, data: dataOf(row.body) }));
}

function dataOf(body: string): JsonObject {
  const parsed: { data: JsonObject } = JSON.parse(body);
  return parsed.data;
}

/** Waits, 10 s at most, until something is so. */
export async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error('waited 10 s for nothing');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A workflow that notes what it really executes. */
export function counting(
  name: string,
  executed: string[],
  build: (count: (what: string) => string) => AnyWorkflow['start'],
): AnyWorkflow {
  const count = (what: string) => {
    executed.push(what);
    return what;
  };
  return defineWorkflow(name, { snapshot: 'none' }, (run, input) => build(count)(run, input));
}
