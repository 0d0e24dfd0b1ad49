import { z } from 'zod';
import {
  blobReferenceSchema,
  failureSchema,
  type LedgerEvent,
  provenanceSchema,
  type Receipt,
  type RunState,
  terminalEventTypes,
} from '../../../contract/evidence.ts';
import type { JsonValue } from '../../../contract/json.ts';

const tree = z.looseObject({ id: z.string(), digest: z.string() });
/** What was asked for: in `run.queued`, or, for a run that was begun at once, in `run.started`. */
const askedData = z.looseObject({
  workflow: z.string(),
  tasks: z.array(z.string()),
  actor: z.string(),
  input: z.json().optional(),
  inputBlob: blobReferenceSchema.optional(),
  /** Of a queued run; one that was begun at once has it in its provenance. */
  inputDigest: z.string().optional(),
  tool: z.string().nullable().optional(),
  origin: z
    .strictObject({
      runId: z.string(),
      kind: z.enum(['retry', 'fork']),
      from: z.string().nullable(),
      reason: z.string().nullable(),
      receipts: z.int().min(0),
    })
    .optional(),
});
export type AskedData = z.infer<typeof askedData>;

/** What a run started on. */
const startedData = z.looseObject({
  snapshot: tree.extend({ manifest: z.string() }).nullable(),
  provenance: provenanceSchema,
  /** Of the lease a queued run was begun under. */
  epoch: z.int().min(1).optional(),
});
export type StartedData = z.infer<typeof startedData>;

/** A large output lies apart: then the event has `outputBlob` in its place. */
const succeededData = z.union([
  z.looseObject({ output: z.json() }),
  z.looseObject({ output: z.undefined().optional(), outputBlob: blobReferenceSchema }),
]);
const failedData = z.looseObject({ failure: failureSchema });
const canceledData = z.looseObject({ actor: z.string() });
const resumedData = z.looseObject({ epoch: z.int().min(1) });
const acceptedData = z.looseObject({ snapshot: tree });

type Terminal = NonNullable<RunState['terminalEvent']>;

/** What a ledger says of its run, gathered event by event: the truth that rows and files are held against. */
export interface LedgerFacts {
  readonly asked: AskedData;
  readonly createdAt: string;
  /** Null for a run that waits in the queue, or was canceled there. */
  readonly started: StartedData | null;
  readonly startedAt: string | null;
  /** First element of the scope inside the keys of the run's steps; empty unless it shares receipts. */
  readonly root: string;
  readonly snapshot: { readonly id: string; readonly digest: string } | null;
  /** The tree after the last step that could touch it, as far as the ledger tells. */
  readonly treeAfter: string | null;
  readonly receipts: number;
  readonly lastSeq: number;
  readonly lastDigest: string;
  /** Of the last lease that a pass was made under; 0 before the first. */
  readonly epoch: number;
  readonly terminal: Terminal | null;
  readonly finishedAt: string | null;
  readonly reason: RunState['reason'];
  readonly output: JsonValue;
  /** Digest of the run's output when it lies apart. */
  readonly outputBlob: string | null;
}

/**
 * One step of the fold: the facts before an event become the facts after it. The receipt is the one the event
 * names, if it closes a step.
 * @throws ZodError when the data of an event is not what its type promises, or the first does not begin a run
 */
export function foldEvent(before: LedgerFacts | null, event: LedgerEvent, receipt: Receipt | null): LedgerFacts {
  if (before === null) return begin(event);
  const facts = {
    ...before,
    lastSeq: event.seq,
    lastDigest: event.digest,
    receipts: receipt === null ? before.receipts : receipt.number,
    treeAfter: receipt?.treeAfter ?? before.treeAfter,
  };
  const type = terminalEventTypes.find((candidate) => candidate === event.type);
  if (type !== undefined) {
    return { ...facts, terminal: { seq: event.seq, type }, finishedAt: event.time, ...ending(type, event) };
  }
  if (event.type === 'run.started') return { ...facts, ...start(before, event) };
  if (event.type === 'run.resumed') return { ...facts, epoch: resumedData.parse(event.data).epoch };
  if (event.type !== 'drift.accepted') return facts;
  const { id, digest } = acceptedData.parse(event.data).snapshot;
  return { ...facts, snapshot: { id, digest }, treeAfter: digest };
}

/**
 * What the beginning of a ledger says: a run that waited in the queue starts with its second event, if at all.
 * @returns null when there is no event
 * @throws ZodError as `foldEvent`
 */
export function beginningOf([first, second]: readonly LedgerEvent[]): LedgerFacts | null {
  if (first === undefined) return null;
  const facts = foldEvent(null, first, null);
  return second?.type === 'run.started' ? foldEvent(facts, second, null) : facts;
}

function begin(event: LedgerEvent): LedgerFacts {
  const asked = askedData.parse(
    z.enum(['run.queued', 'run.started']).safeParse(event.type).success ? event.data : null,
  );
  const { origin } = asked;
  const queued: LedgerFacts = {
    asked,
    createdAt: event.time,
    started: null,
    startedAt: null,
    root: origin === undefined ? '' : `${origin.kind}:${event.runId}`,
    snapshot: null,
    treeAfter: null,
    receipts: 0,
    lastSeq: event.seq,
    lastDigest: event.digest,
    epoch: 0,
    terminal: null,
    finishedAt: null,
    reason: null,
    output: null,
    outputBlob: null,
  };
  return event.type === 'run.started' ? { ...queued, ...start(null, event) } : queued;
}

/** A queued run starts as what it was asked for; a run starts once. */
function start(before: LedgerFacts | null, event: LedgerEvent): Partial<LedgerFacts> {
  const started = startedData.parse(event.data);
  if (before !== null) {
    const { workflow, tasks, actor } = askedData.parse(event.data);
    const same = z.strictObject({
      workflow: z.literal(before.asked.workflow),
      tasks: z.array(z.string()).refine((given) => given.join('\n') === before.asked.tasks.join('\n')),
      actor: z.literal(before.asked.actor),
      before: z.null(),
    });
    same.parse({ workflow, tasks, actor, before: before.startedAt });
  }
  const { snapshot } = started;
  return {
    started,
    startedAt: event.time,
    snapshot: snapshot === null ? null : { id: snapshot.id, digest: snapshot.digest },
    treeAfter: snapshot?.digest ?? null,
    epoch: started.epoch ?? 1,
  };
}

function ending(
  type: Terminal['type'],
  { data }: LedgerEvent,
): Pick<LedgerFacts, 'reason' | 'output'> & Partial<LedgerFacts> {
  switch (type) {
    case 'run.succeeded': {
      const said = succeededData.parse(data);
      if (said.output !== undefined) return { reason: null, output: said.output };
      const { blob, size, preview } = blobReferenceSchema.parse(said.outputBlob);
      return { reason: null, output: { blob, size, preview }, outputBlob: blob };
    }
    case 'run.failed': {
      const { code, message } = failedData.parse(data).failure;
      return { reason: { code, message }, output: null };
    }
    case 'run.canceled':
      return {
        reason: { code: 'run_canceled', message: `canceled by ${canceledData.parse(data).actor}` },
        output: null,
      };
    default:
      return type satisfies never;
  }
}

const endState = { 'run.succeeded': 'succeeded', 'run.failed': 'failed', 'run.canceled': 'canceled' } as const;

/** The members of a run's state that its ledger proves; the rest (holder, liveness, links) depends on where and when. */
export function provenState(runId: string, facts: LedgerFacts): Partial<RunState> {
  const { asked, started, terminal } = facts;
  return {
    runId,
    workflow: asked.workflow,
    tool: asked.tool ?? null,
    task: asked.tasks.length === 1 ? (asked.tasks[0] ?? null) : null,
    tasks: asked.tasks,
    actor: asked.actor,
    snapshot: facts.snapshot,
    lastSeq: facts.lastSeq,
    lastDigest: facts.lastDigest,
    terminalEvent: terminal,
    reason: facts.reason,
    output: facts.output,
    steps: facts.receipts,
    createdAt: facts.createdAt,
    startedAt: facts.startedAt,
    finishedAt: facts.finishedAt,
    provenance: started?.provenance ?? null,
    ...(terminal === null
      ? {}
      : {
          state: endState[terminal.type],
          interrupted: false,
          resume: null,
          currentStep: null,
          pending: [],
          wakeAt: null,
          holder: null,
        }),
  };
}
