import type { RunId } from '../../src/contract/ids.ts';
import type { TestProcess } from '../../src/domain/runs/testing/engine.ts';
import { allRuns, openRuns } from '../../src/workers/testing/run-facts.ts';
import { eventually } from './eventually.ts';

export function settled(process: TestProcess) {
  return eventually('every run is finished', async () => ((await openRuns(process)) === 0 ? true : undefined), 20_000);
}

export async function stateOf(process: TestProcess, runId: RunId): Promise<string | undefined> {
  return (await allRuns(process.engine.store)).find(({ id }) => id === runId)?.state;
}

export function inState(process: TestProcess, runId: RunId, state: string) {
  return eventually(
    `the run is ${state}`,
    async () => ((await stateOf(process, runId)) === state ? true : undefined),
    20_000,
  );
}
