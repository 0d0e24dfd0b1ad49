import { z } from 'zod';
import { idShapes } from './ids.ts';
import { jsonValueSchema } from './json-value.ts';

/**
 * The files Waybill writes about a run, as schemas: ledger lines, receipts, `run.json`, `snapshot.json` and the
 * bundle. The JSON Schemas under `schemas/v1/` are generated from here. Times are RFC 3339 UTC.
 */
const runId = z.string().regex(idShapes.run);
const digest = z.string().regex(idShapes.digest);
const idempotencyKey = z.string().regex(idShapes.idempotencyKey);
const snapshotId = z.string().regex(idShapes.snapshot);
const time = z.string().regex(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.(\d{3}|\d{6})Z$/);
const json = jsonValueSchema;
const count = z.int().min(0);

export const eventTypes = [
  'run.queued',
  'run.started',
  'run.resumed',
  'run.interrupted',
  'run.waiting',
  'run.paused',
  'run.succeeded',
  'run.failed',
  'run.canceled',
  'attempt.started',
  'attempt.failed',
  'attempt.interrupted',
  'step.succeeded',
  'step.failed',
  'process.started',
  'process.ended',
  'process.output',
  'agent.hello',
  'agent.log',
  'agent.progress',
  'approval.requested',
  'approval.answered',
  'sleep.started',
  'signal.awaited',
  'signal.received',
  'decision.recorded',
  'cancel.requested',
  'drift.accepted',
] as const;
export type EventType = (typeof eventTypes)[number];

export const terminalEventTypes = [
  'run.succeeded',
  'run.failed',
  'run.canceled',
] as const satisfies readonly EventType[];

export const stepReference = z
  .strictObject({
    scope: z.array(z.string()),
    name: z.string(),
    occurrence: z.int().min(1),
  })
  .describe('A step by its place: the scopes around it, its name, and which of that name it is.');
export type StepReference = z.infer<typeof stepReference>;

export const ledgerEventSchema = z
  .strictObject({
    schema: z.literal('waybill.event.v1'),
    runId,
    seq: z.int().min(1),
    time,
    type: z.enum(eventTypes),
    step: stepReference.optional(),
    attempt: z.int().min(1).optional(),
    traceId: z.string().regex(idShapes.traceId).optional(),
    spanId: z.string().regex(idShapes.spanId).optional(),
    data: z.record(z.string(), json),
    previous: digest,
    digest,
  })
  .describe('One event of a ledger; `digest` is over the canonical form of all but `previous` and `digest`.');
export type LedgerEvent = z.infer<typeof ledgerEventSchema>;

export const artifactSchema = z
  .strictObject({ path: z.string(), size: count, digest })
  .describe('A file that a step made.');

export const failureSchema = z
  .strictObject({
    code: z.string(),
    message: z.string(),
    hint: z.string().optional(),
    retryable: z.boolean(),
    details: z.record(z.string(), json).optional(),
  })
  .describe('Why a step failed.');
export type Failure = z.infer<typeof failureSchema>;

export const blobReferenceSchema = z
  .strictObject({ blob: digest, size: count, preview: z.string() })
  .describe('A value kept apart because it is larger than 64 KiB.');

export const receiptSchema = z
  .strictObject({
    schema: z.literal('waybill.receipt.v1'),
    runId,
    number: z.int().min(1),
    task: z.string().nullable(),
    action: z.string(),
    step: stepReference,
    /** First element of the scope inside the key for a run that shares receipts of another; empty otherwise. */
    root: z.string(),
    idempotencyKey,
    snapshot: digest.nullable(),
    inputs: json,
    expectedOutputs: z.array(z.string()),
    outcome: z.enum(['succeeded', 'failed']),
    outputs: json.optional(),
    outputsBlob: blobReferenceSchema.optional(),
    failure: failureSchema.optional(),
    artifacts: z.array(artifactSchema),
    attempts: z.int().min(1),
    /** First and last `seq` of the events that belong to this step's final attempt. */
    events: z.strictObject({ first: z.int().min(1), last: z.int().min(1) }),
    startedAt: time,
    finishedAt: time,
    treeAfter: digest.nullable(),
    redactions: count,
  })
  .describe('The immutable record of one finished step. `number` counts from 1 within the run and never restarts.');
export type Receipt = z.infer<typeof receiptSchema>;

const known = <T extends z.ZodType>(value: T) =>
  z.union([
    z.strictObject({ known: z.literal(true), value }),
    z.strictObject({ known: z.literal(false), reason: z.string() }),
  ]);

export const provenanceSchema = z
  .strictObject({
    checkout: z.strictObject({
      name: known(z.string()),
      remote: known(z.string()),
      commit: known(z.string()),
      branch: known(z.string()),
      dirty: known(z.boolean()),
      readAt: time,
    }),
    versions: z.record(z.string(), z.string()),
    configDigest: digest.nullable(),
    workflow: z.strictObject({ name: z.string(), version: z.string().nullable(), codeDigest: digest.nullable() }),
    /** The tool that a run of the workflow `tool` was asked to call; each step says what it then called. */
    tool: z
      .strictObject({
        id: z.string(),
        version: z.string(),
        descriptionDigest: digest,
        inputSchemaDigest: digest,
        outputSchemaDigest: digest,
      })
      .nullable()
      .optional(),
    /** Hash of the name of the machine under the key of the workspace; only where it is configured. */
    hostHash: digest.nullable().optional(),
    inputDigest: digest,
    platform: z.strictObject({ os: z.string(), arch: z.string(), node: z.string() }),
    envFingerprint: digest,
    containment: z.strictObject({ how: z.enum(['contained', 'swept', 'unknown']), means: z.string() }),
  })
  .describe('Where a run comes from; captured once, when it starts.');
export type RunProvenance = z.infer<typeof provenanceSchema>;

export const runStates = ['queued', 'running', 'waiting', 'succeeded', 'failed', 'canceled'] as const;
export type RunStateName = (typeof runStates)[number];

/** `run.json`, and what `waybill show --json` prints. */
export const runStateSchema = z.strictObject({
  schema: z.literal('waybill.run.v1'),
  runId,
  workflow: z.string(),
  /** The tool it calls, when it is a run of one tool. */
  tool: z.string().nullable(),
  task: z.string().nullable(),
  tasks: z.array(z.string()),
  state: z.enum(runStates),
  /** The holder is gone without a terminal event: the run goes on with the command in `resume`. */
  interrupted: z.boolean(),
  resume: z.string().nullable(),
  currentStep: z
    .strictObject({
      name: z.string(),
      stage: z.string(),
      attempt: z.int().min(1),
      startedAt: time,
      idempotencyKey,
      waitingFor: z.string().nullable(),
    })
    .nullable(),
  pending: z.array(
    z.strictObject({ step: stepReference, action: z.string(), attempt: z.int().min(1), idempotencyKey }),
  ),
  snapshot: z.strictObject({ id: snapshotId, digest }).nullable(),
  lastSeq: count,
  lastDigest: digest,
  terminalEvent: z.strictObject({ seq: z.int().min(1), type: z.enum(terminalEventTypes) }).nullable(),
  reason: z.strictObject({ code: z.string(), message: z.string() }).nullable(),
  output: json.nullable(),
  steps: count,
  createdAt: time,
  startedAt: time.nullable(),
  finishedAt: time.nullable(),
  wakeAt: time.nullable(),
  holder: z
    .strictObject({ pid: z.int(), host: z.string(), since: time, expiresAt: time, alive: z.boolean() })
    .nullable(),
  actor: z.string(),
  origin: z
    .strictObject({
      runId,
      kind: z.enum(['retry', 'fork', 'import']),
      from: z.string().nullable(),
      reason: z.string().nullable(),
    })
    .nullable(),
  sharedBy: z.array(z.strictObject({ runId, kind: z.enum(['retry', 'fork', 'import']) })),
  provenance: provenanceSchema.nullable(),
});
export type RunState = z.infer<typeof runStateSchema>;

/** `snapshot.json`: which files a run began with. */
export const snapshotManifestSchema = z.strictObject({
  schema: z.literal('waybill.snapshot.v1'),
  id: snapshotId,
  digest,
  rule: z.enum(['git', 'walk']),
  count,
  bytes: count,
  files: z.array(
    z.strictObject({
      path: z.string(),
      kind: z.enum(['file', 'executable', 'symlink']),
      size: count,
      digest,
      raw: z.literal(true).optional(),
    }),
  ),
  omitted: z.array(z.strictObject({ path: z.string(), reason: z.string() })),
});
export type SnapshotManifest = z.infer<typeof snapshotManifestSchema>;

/** A self-contained copy of a run: everything `waybill verify` and `waybill import` need, on any machine. */
export const bundleSchema = z.strictObject({
  schema: z.literal('waybill.bundle.v1'),
  createdAt: time,
  createdBy: z.string(),
  run: runStateSchema,
  events: z.array(ledgerEventSchema),
  receipts: z.array(receiptSchema),
  /** Receipts of an earlier run that this one shares, each with its own run id. */
  sharedReceipts: z.array(receiptSchema),
  snapshots: z.array(snapshotManifestSchema),
  /** Bytes by digest, base64. */
  blobs: z.record(z.string().regex(idShapes.digest), z.string()),
  input: json,
  /** Over all lines of the file but this, its last: `head -n -1 FILE | sha256sum`. */
  digest,
});
export type Bundle = z.infer<typeof bundleSchema>;
