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

const runParam = runId.describe('The run, as submitting it answered.');
export const runParams = z.strictObject({ runId: runParam });

export const waitMs = z.coerce
  .number()
  .int()
  .min(0)
  .max(longestWaitMs)
  .default(0)
  .describe('How long the answer may wait for the run to end, in milliseconds; 0 answers at once.');

export const submitRunSchema = z
  .strictObject({
    tool: name.optional().describe('The tool to call; either this or `workflow`.'),
    workflow: name.optional().describe('The workflow to run; either this or `tool`.'),
    input: jsonValueSchema.optional().describe('What it gets; the schema of the tool or workflow says what fits.'),
    tasks: z.array(task).max(1000).default([]).describe('Tasks of the workspace, for a workflow that works on tasks.'),
    priority: z.int().min(-100).max(100).default(0).describe('Higher goes first; equal ones in the order they came.'),
  })
  .superRefine((body, problems) => {
    const given = [body.tool, body.workflow].filter((each) => each !== undefined).length;
    if (given === 1) return;
    const message = given === 0 ? 'is needed, unless "workflow" is given' : 'and "workflow" exclude each other';
    problems.addIssue({ code: 'custom', path: ['tool'], message });
  })
  .describe('What is to run: a tool with its input, or a workflow with its input or tasks.')
  .meta({ examples: [{ tool: 'lines', input: { files: ['poem.txt'] } }] });
export type SubmitRun = z.output<typeof submitRunSchema>;

const reason = z
  .strictObject({ code: z.string(), message: z.string() })
  .nullable()
  .describe('Why it failed or was canceled; null otherwise.');

const runSummaryShape = {
  runId,
  workflow: z.string(),
  tool: z.string().nullable().describe('The tool it calls; null for any other workflow.'),
  tasks: z.array(z.string()),
  state: z.enum(runStates).describe('The last three are terminal: nothing follows them.'),
  interrupted: z.boolean().describe('It is running, and the process that worked on it is gone.'),
  reason,
  steps: count.describe('Finished steps.'),
  lastSeq: count.describe('`seq` of its last event.'),
  actor: z.string().describe('Who submitted it: `token:<name>`, or `local:<uid>` from the command line.'),
  createdAt: time,
  startedAt: time.nullable(),
  finishedAt: time.nullable(),
};

export const runSummarySchema = z.strictObject(runSummaryShape).describe('A run in short.');
export type RunSummary = z.infer<typeof runSummarySchema>;

export const runAnswerSchema = z
  .strictObject({
    ...runSummaryShape,
    output: jsonValueSchema.nullable().describe('What the run answered, once it has succeeded; null until then.'),
  })
  .describe('A run in short, with its output.');
export type RunAnswer = z.infer<typeof runAnswerSchema>;

export const runDetailSchema = runStateSchema
  .extend({
    queue: z
      .strictObject({
        priority: z.int(),
        parked: z
          .string()
          .nullable()
          .describe('Why no worker takes it by itself any more; `POST .../resume` puts it back.'),
        failures: count.describe('How often a worker could not go on with it.'),
      })
      .nullable()
      .describe('Its place among those that wait for a worker; null once none of them is to work on it.'),
    exit: z
      .strictObject({ code: z.int().nullable(), signal: z.string().nullable() })
      .nullable()
      .describe('How the last command of the run ended; null when it had none.'),
    artifacts: z.array(artifactSchema.extend({ step: z.string() })).describe('Files its steps made.'),
  })
  .describe('All of a run but its ledger.');
export type RunDetail = z.infer<typeof runDetailSchema>;

const cursor = z.string().optional().describe('`nextCursor` of the page before; nothing for the first page.');
const nextCursor = z.string().nullable().describe('The `cursor` of the next page; null on the last one.');

export const listRunsQuery = z.strictObject({
  state: z
    .union([z.enum(runStates).transform((state) => [state]), z.array(z.enum(runStates))])
    .default([])
    .describe('Only runs in this state; several times for several states.'),
  workflow: name.optional().describe('Only runs of this workflow.'),
  task: task.optional().describe('Only runs that work on this task.'),
  limit: z.coerce.number().int().min(1).max(1000).default(50).describe('How many there are on a page at most.'),
  cursor,
});

export const runListSchema = z
  .strictObject({ runs: z.array(runSummarySchema), nextCursor })
  .describe('Runs, newest first.');

export const stepSchema = z
  .strictObject({
    number: z.int().min(1).nullable().describe('Number of its receipt; null while it has none.'),
    step: stepReference,
    name: z.string().describe('The step in one word, as commands and `receipts/{step}` take it.'),
    action: z.string(),
    task: z.string().nullable(),
    state: z.enum(['running', 'waiting', 'succeeded', 'failed']),
    waitingFor: z.string().nullable().describe('What it waits for; null when it does not.'),
    attempts: z.int().min(1),
    idempotencyKey: z.string().regex(idShapes.idempotencyKey).describe("Names the step's work exactly."),
    shared: z.boolean().describe('True for one this run shares with an earlier run.'),
    failure: failureSchema.nullable(),
    artifacts: z.array(artifactSchema),
    startedAt: time,
    finishedAt: time.nullable(),
  })
  .describe('One step, finished or under way.');
export type Step = z.infer<typeof stepSchema>;

export const stepListSchema = z
  .strictObject({ steps: z.array(stepSchema), nextCursor })
  .describe('Finished steps in the order of their receipts, then those under way.');

export const listStepsQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(1000).default(200).describe('How many there are on a page at most.'),
  cursor,
});

export const stepParams = z.strictObject({
  runId: runParam,
  step: z
    .string()
    .min(1)
    .max(512)
    .describe("The number of a receipt, or its step's name when only one step of the run has it."),
});

export const approvalParams = z.strictObject({
  runId: runParam,
  step: z.string().min(1).max(512).describe('The name of the approval it waits for.'),
});

const comment = z.string().max(2000).nullable().default(null).describe('For whoever reads the ledger.');

export const cancelRunSchema = z.strictObject({ comment }).describe('Ends a run.');

export const resumeRunSchema = z
  .strictObject({
    acceptDrift: z
      .boolean()
      .default(false)
      .describe('Go on although the workspace changed while nothing of the run was at work.'),
    retryFailed: z
      .strictObject({ reason: z.string().min(1).max(2000) })
      .optional()
      .describe('For a failed run: make a new one that shares its good receipts, and say why.'),
  })
  .describe('How a run goes on.');

export const answerApprovalSchema = z
  .strictObject({ approved: z.boolean(), comment })
  .describe('Yes or no to what a run waits for.');

export const signalParams = z.strictObject({
  runId: runParam,
  name: name.describe('What the run waits for by this name.'),
});
export const sendSignalSchema = z
  .strictObject({ payload: jsonValueSchema.default(null) })
  .describe('What a run waits for.');

export const requestAnswerSchema = z
  .strictObject({
    outcome: z
      .enum(['done', 'kept', 'unchanged'])
      .describe(
        '`done`: it is in the ledger; `kept`: nobody waits for it yet, the run will find it; `unchanged`: there was nothing to do.',
      ),
    by: z
      .enum(['holder', 'requester'])
      .describe('Who did it: the process that works on the run, or the one that was asked because nobody does.'),
    run: runAnswerSchema,
  })
  .describe('What came of something asked of a run.');
