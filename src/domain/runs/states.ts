import { WaybillError } from '../../contract/errors.ts';
import type { RunStateName } from '../../contract/evidence.ts';

/**
 * The legal edges of a run's life. The last three states are terminal: they have no edge out. The ledger's writer and
 * the triggers of the tables know no other moves.
 */
const edges = {
  queued: ['running', 'canceled', 'failed'],
  running: ['waiting', 'succeeded', 'failed', 'canceled', 'running'],
  waiting: ['running', 'canceled', 'failed', 'waiting'],
  succeeded: [],
  failed: [],
  canceled: [],
} as const satisfies Record<RunStateName, readonly RunStateName[]>;

export type TerminalState = 'succeeded' | 'failed' | 'canceled';

export function isTerminal(state: RunStateName): state is TerminalState {
  return edges[state].length === 0;
}

/** Reads a state column. @throws WaybillError `store_corrupt` when it is none of ours. */
export function readState(text: string): RunStateName {
  for (const state of Object.keys(edges)) {
    if (state === text && isStateName(state)) return state;
  }
  throw new WaybillError(
    'store_corrupt',
    `the store holds a run in the unknown state ${JSON.stringify(text.slice(0, 40))}`,
    {
      hint: 'Verify the run with `waybill verify RUN`.',
    },
  );
}

function isStateName(text: string): text is RunStateName {
  return Object.hasOwn(edges, text);
}
