import { WaybillError } from '../../contract/errors.ts';
import type { RunStateName } from '../../contract/evidence.ts';

/** The legal edges of a run's life. The last three states are terminal: they have no edge out. */
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

/** @throws WaybillError `invalid_transition` */
export function assertTransition(from: RunStateName, to: RunStateName): void {
  const allowed: readonly RunStateName[] = edges[from];
  if (allowed.includes(to)) return;
  throw new WaybillError('invalid_transition', `a run that is ${from} cannot become ${to}`, {
    hint: isTerminal(from)
      ? 'A finished run is never reopened; start a new one with `waybill fork` or `waybill resume --retry-failed`.'
      : 'Look at the run with `waybill show`.',
    details: { from, to },
  });
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
