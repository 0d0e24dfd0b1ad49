import { defineWorkflow } from '../../../contract/define.ts';
import type { RunId } from '../../../contract/ids.ts';
import { LedgerWriter } from '../ledger/ledger-writer.ts';
import { createRun } from '../start-run.ts';
import type { TerminalState } from '../states.ts';
import type { TestProcess } from './engine.ts';

/** A run that is at work for as long as the test says, with events of the test's own. */
export interface LiveRun {
  readonly runId: RunId;
  /** `seq` of its last event. */
  readonly head: number;
  /** Appends one event for each text, all in one commit; resolves when they are durable. */
  say(...texts: string[]): Promise<void>;
  /** Lets it wait for the outside. */
  wait(): Promise<void>;
  /** Appends the terminal event. */
  finish(state?: TerminalState): Promise<void>;
}

const talking = defineWorkflow('talking', { snapshot: 'none' }, async () => null);

/** Makes a run whose ledger the test writes, through the writer that every run's holder uses. Its first event is there. */
export async function openLiveRun({ engine }: Pick<TestProcess, 'engine'>): Promise<LiveRun> {
  const { runId, head } = await createRun(engine, { workflow: talking, input: null, tasks: [], actor: 'test' });
  const writer = new LedgerWriter(engine.store, engine.clock, { runId, epoch: 1, receipts: 0, ...head });
  return {
    runId,
    get head() {
      return writer.nextSeq - 1;
    },
    say: async (...texts) => {
      await writer.append({ events: texts.map((message) => ({ type: 'agent.log', data: { message } })) });
    },
    wait: async () => {
      const change = { kind: 'suspend', state: 'waiting', wakeAt: null } as const;
      await writer.append({ events: [{ type: 'run.waiting', data: { reason: 'test' } }], change });
    },
    finish: async (state = 'succeeded') => {
      const change = { kind: 'finish', state, reason: null, output: 'null' } as const;
      await writer.append({ events: [{ type: `run.${state}`, data: {} }], change });
    },
  };
}
