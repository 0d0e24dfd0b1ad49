import { z } from 'zod';
import type { LedgerEvent } from '../../../contract/evidence.ts';
import { type IdempotencyKey, parseId } from '../../../contract/ids.ts';
import type { JsonValue } from '../../../contract/json.ts';
import { canonicalJson } from '../../../platform/canonical-json/canonical-json.ts';
import type { PendingStep } from '../execution/replay.ts';
import { idempotencyKey, type StepWork } from '../keys/step-key.ts';
import { parseTime } from './parse-time.ts';

const opening = {
  'attempt.started': null,
  'approval.requested': 'approval',
  'signal.awaited': 'signal',
  'sleep.started': 'sleep',
} as const;

const openingData = z.looseObject({
  idempotencyKey: z.string(),
  inputs: z.json(),
  action: z.string().optional(),
  expectedOutputs: z.array(z.string()).optional(),
  until: z.int().nullable().optional(),
});

interface Open {
  readonly step: NonNullable<LedgerEvent['step']>;
  readonly key: IdempotencyKey;
  readonly action: string;
  readonly inputs: JsonValue;
  readonly expectedOutputs: readonly string[];
  readonly waitingFor: PendingStep['waitingFor'];
  readonly until: number | null;
  readonly firstSeq: number;
  readonly startedAt: number;
  readonly attempt: number;
  readonly failures: number;
}

/**
 * The steps a ledger leaves half done: begun or asked for, without a receipt. A store keeps them in rows of their
 * own; where only the ledger came along, it tells them too.
 *
 * Their task and tree stand in no event, but in the key: of all there are, only the right ones give it again.
 */
export function openSteps(
  events: Iterable<LedgerEvent>,
  known: { readonly tasks: readonly string[]; readonly trees: readonly (string | null)[]; readonly root: string },
): PendingStep[] {
  const open = new Map<string, Open>();
  for (const event of events) {
    if (event.step === undefined) continue;
    const place = canonicalJson(event.step);
    const before = open.get(place);
    if (event.type === 'step.succeeded' || event.type === 'step.failed') open.delete(place);
    else if (event.type === 'attempt.failed' && before !== undefined)
      open.set(place, { ...before, failures: before.failures + 1 });
    else if (isOpening(event.type)) open.set(place, begun(event, event.step, opening[event.type], before));
  }
  return [...open.values()].map((each) => pendingOf(each, known));
}

function isOpening(type: string): type is keyof typeof opening {
  return Object.hasOwn(opening, type);
}

function begun(event: LedgerEvent, step: Open['step'], waitingFor: Open['waitingFor'], before: Open | undefined): Open {
  const data = openingData.parse(event.data);
  return {
    step,
    key: parseId('idempotencyKey', data.idempotencyKey),
    action: waitingFor ?? data.action ?? 'step',
    inputs: data.inputs,
    expectedOutputs: data.expectedOutputs ?? [],
    waitingFor,
    until: data.until ?? null,
    firstSeq: event.seq,
    startedAt: before?.startedAt ?? parseTime(event.time),
    attempt: event.attempt ?? 1,
    failures: before?.failures ?? 0,
  };
}

function pendingOf(
  open: Open,
  {
    tasks,
    trees,
    root,
  }: { readonly tasks: readonly string[]; readonly trees: readonly (string | null)[]; readonly root: string },
): PendingStep {
  const { step, action, inputs, expectedOutputs, key, ...rest } = open;
  const works = [null, ...tasks].map((task): StepWork => ({ action, task, inputs, expectedOutputs, step }));
  for (const work of works) {
    const snapshot = trees.find((tree) => idempotencyKey(work, { snapshot: tree, root }) === key);
    if (snapshot !== undefined) return { ...rest, work, snapshot, idempotencyKey: key };
  }
  return { ...rest, work: { action, task: null, inputs, expectedOutputs, step }, snapshot: null, idempotencyKey: key };
}
