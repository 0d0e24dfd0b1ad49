import { z } from 'zod';
import { idShapes } from '../../../contract/ids.ts';

const check = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('command'),
    name: z.string(),
    command: z.tuple([z.string().min(1)], z.string()),
    timeoutMs: z.int().min(1).optional(),
  }),
  z.strictObject({ kind: z.literal('file'), name: z.string(), path: z.string(), digest: z.string().optional() }),
]);

export const taskSchema = z.strictObject({
  id: z.string().regex(idShapes.task),
  title: z.string(),
  goal: z.string(),
  inputs: z.record(z.string(), z.json()).default({}),
  expectedOutputs: z.array(z.string()).default([]),
  checks: z.array(check).default([]),
});

/**
 * The input of the built-in workflow `task`. All that decides its course is in here, and so recorded: a
 * configuration changed between crash and resume changes nothing of a run that has begun.
 */
export const taskInputSchema = z.strictObject({
  tasks: z.array(taskSchema).min(1),
  roles: z.strictObject({ builder: z.string(), reviewer: z.string(), specMaintainer: z.string() }),
  maxIterations: z.int().min(1),
  allowedFailures: z.array(z.string()).default([]),
});

export type TaskInput = z.output<typeof taskInputSchema>;
export type TaskOfRun = z.output<typeof taskSchema>;
