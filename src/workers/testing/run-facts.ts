import { isTerminal, readState } from '../../domain/runs/states.ts';
import type { TestProcess } from '../../domain/runs/testing/engine.ts';
import type { Store } from '../../platform/store/store.ts';

/** What a store says of all its runs, for the promises that hold whatever was killed. */
export interface RunFacts {
  readonly id: string;
  readonly state: string;
  readonly output: string | null;
  readonly epoch: number;
  readonly seqs: readonly number[];
  readonly types: readonly string[];
  /** Names of the steps that have a receipt, in the order of their numbers. */
  readonly receipts: readonly string[];
}

export async function allRuns(store: Pick<Store, 'read'>): Promise<RunFacts[]> {
  return store.read(async (tx) => {
    const runs = await tx.db.selectFrom('run').select(['id', 'state', 'output', 'epoch']).orderBy('id').execute();
    const events = await tx.db.selectFrom('run_event').select(['run', 'seq', 'type']).orderBy('seq').execute();
    const receipts = await tx.db.selectFrom('receipt').select(['run', 'name']).orderBy('number').execute();
    return runs.map((run) => {
      const own = events.filter((event) => event.run === run.id);
      return {
        ...run,
        seqs: own.map(({ seq }) => seq),
        types: own.map(({ type }) => type),
        receipts: receipts.filter((receipt) => receipt.run === run.id).map(({ name }) => name),
      };
    });
  });
}

/** How many runs are not finished. */
export async function openRuns(process: TestProcess): Promise<number> {
  const rows = await process.engine.store.read((tx) => tx.db.selectFrom('run').select('state').execute());
  return rows.filter(({ state }) => !isTerminal(readState(state))).length;
}

/** Each ledger whole: 1..n, ended once, by its last event. */
export function ledgerFaults(runs: readonly RunFacts[]): string[] {
  return runs.flatMap(({ id, seqs, types, state }) => {
    const gaps = seqs.some((seq, index) => seq !== index + 1);
    const ends = types.filter((type) => ['run.succeeded', 'run.failed', 'run.canceled'].includes(type));
    const ended = ends.length === 1 && types.at(-1) === `run.${state}`;
    return [
      ...(gaps ? [`${id} has a gap: ${seqs.join(' ')}`] : []),
      ...(ended ? [] : [`${id} ends in ${types.at(-1)}`]),
    ];
  });
}
