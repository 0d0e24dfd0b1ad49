import { z } from 'zod';
import { artifactSchema, failureSchema, runStateSchema, runStates, stepReference } from '../evidence.ts';
import { idShapes } from '../ids.ts';
import { jsonValueSchema } from '../json-value.ts';

const runId = z.string().regex(idShapes.run, 'must be the id of a run');
const name = z.string().regex(idShapes.name, 'must be a name: a letter, then letters, digits, ".", "_" or "-"');
const task = z.string().regex(idShapes.task, 'must be the id of a task');
const time = z.iso.datetime();
const count = z.int().min(0);
const longestWaitMs = 600_000;

export const runParams = z.strictObject({ runId });

/** How long an answer may wait for the run to end; 0, the default, answers at once. */
export const waitMs = z.coerce.number().int().min(0).max(longestWaitMs).default(0);

/** What `POST /v1/runs` takes: a tool with its input, or a workflow with its input or tasks. */
export const submitRunSchema = z
  .strictObject({
    tool: name.optional(),
    workflow: name.optional(),
    input: jsonValueSchema.optional(),
    tasks: z.array(task).max(1000).default([]),
    /** Higher goes first; equal ones in the order they came. */
    priority: z.int().min(-100).max(100).default(0),
  })
  .superRefine((body, problems) => {
    const given = [body.tool, body.workflow].filter((each) => each !== undefined).length;
    if (given === 1) return;
    const message = given === 0 ? 'is needed, unless "workflow" is given' : 'and "workflow" exclude each other';
    problems.addIssue({ code: 'custom', path: ['tool'], message });
  });
export type SubmitRun = z.output<typeof submitRunSchema>;

/** A run in short: what a list has, and what submitting answers. */
export const runSummarySchema = z.strictObject({
  runId,
  workflow: z.string(),
  tool: z.string().nullable(),
  tasks: z.array(z.string()),
  state: z.enum(runStates),
  interrupted: z.boolean(),
  reason: z.strictObject({ code: z.string(), message: z.string() }).nullable(),
  steps: count,
  lastSeq: count,
  actor: z.string(),
  createdAt: time,
  startedAt: time.nullable(),
  finishedAt: time.nullable(),
});
export type RunSummary = z.infer<typeof runSummarySchema>;

/** What submitting, canceling and their like answer; `output` once the run has succeeded. */
export const runAnswerSchema = runSummarySchema.extend({ output: jsonValueSchema.nullable() });
export type RunAnswer = z.infer<typeof runAnswerSchema>;

/** All of a run but its ledger. */
export const runDetailSchema = runStateSchema.extend({
  /** Its place among those that wait for a worker; null once none of them is to work on it. */
  queue: z
    .strictObject({
      priority: z.int(),
      /** Why no worker takes it by itself any more; `POST .../resume` puts it back. */
      parked: z.string().nullable(),
      failures: count,
    })
    .nullable(),
  /** How the last command of the run ended; null when it had none. */
  exit: z.strictObject({ code: z.int().nullable(), signal: z.string().nullable() }).nullable(),
  artifacts: z.array(artifactSchema.extend({ step: z.string() })),
});
export type RunDetail = z.infer<typeof runDetailSchema>;

export const listRunsQuery = z.strictObject({
  /** One state, or several. */
  state: z.union([z.enum(runStates).transform((state) => [state]), z.array(z.enum(runStates))]).default([]),
  workflow: name.optional(),
  task: task.optional(),
  limit: z.coerce.number().int().min(1).max(1000).default(50),
  /** `nextCursor` of the page before. */
  cursor: z.string().optional(),
});

export const runListSchema = z.strictObject({
  /** Newest first. */
  runs: z.array(runSummarySchema),
  nextCursor: z.string().nullable(),
});

/** One step, finished or under way. */
export const stepSchema = z.strictObject({
  /** Number of its receipt; null while it has none. */
  number: z.int().min(1).nullable(),
  step: stepReference,
  /** The step in one word, as commands and `receipts/{step}` take it. */
  name: z.string(),
  action: z.string(),
  task: z.string().nullable(),
  state: z.enum(['running', 'waiting', 'succeeded', 'failed']),
  waitingFor: z.string().nullable(),
  attempts: z.int().min(1),
  idempotencyKey: z.string().regex(idShapes.idempotencyKey),
  /** True for one this run shares with an earlier run. */
  shared: z.boolean(),
  failure: failureSchema.nullable(),
  artifacts: z.array(artifactSchema),
  startedAt: time,
  finishedAt: time.nullable(),
});
export type Step = z.infer<typeof stepSchema>;

export const stepListSchema = z.strictObject({ steps: z.array(stepSchema), nextCursor: z.string().nullable() });

export const listStepsQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(1000).default(200),
  cursor: z.string().optional(),
});

/** A receipt's number, or its step's name when only one receipt has it. */
export const stepParams = z.strictObject({ runId, step: z.string().min(1).max(512) });

export const cancelRunSchema = z.strictObject({ comment: z.string().max(2000).nullable().default(null) });

export const resumeRunSchema = z.strictObject({
  /** Go on although the workspace changed while nothing of the run was at work. */
  acceptDrift: z.boolean().default(false),
  /** For a failed run: make a new one that shares its good receipts, and say why. */
  retryFailed: z.strictObject({ reason: z.string().min(1).max(2000) }).optional(),
});

export const answerApprovalSchema = z.strictObject({
  approved: z.boolean(),
  comment: z.string().max(2000).nullable().default(null),
});

export const signalParams = z.strictObject({ runId, name });
export const sendSignalSchema = z.strictObject({ payload: jsonValueSchema.default(null) });

/** What came of something asked of a run. */
export const requestAnswerSchema = z.strictObject({
  /** `done`: in the ledger; `kept`: nobody waits for it yet, the run will find it; `unchanged`: nothing to do. */
  outcome: z.enum(['done', 'kept', 'unchanged']),
  /** Who did it: the process that works on the run, or the one that was asked because nobody does. */
  by: z.enum(['holder', 'requester']),
  run: runAnswerSchema,
});
