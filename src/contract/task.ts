import { z } from 'zod';
import { idShapes } from './ids.ts';

const text = z
  .string()
  .min(1)
  .refine((value) => !value.includes('\0'), 'must not contain a NUL character');

/** What must hold after a step; the schema of `Check` in workflow.ts. */
export const checkSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('command'),
    name: z.string().regex(idShapes.name),
    command: z.tuple([text], text),
    timeoutMs: z.int().min(1).exactOptional(),
  }),
  z.strictObject({
    kind: z.literal('file'),
    name: z.string().regex(idShapes.name),
    path: text,
    digest: z.string().regex(idShapes.digest).exactOptional(),
  }),
]);

/** The front matter of `waybill.tasks/<id>.md`; the text below it is the goal. */
export const taskFrontMatterSchema = z.strictObject({
  title: z.string().trim().min(1).max(200),
  /** What the builder is given besides the goal. */
  inputs: z.record(z.string(), z.json()).default({}),
  /** Paths in the workspace that must exist when the work is done. */
  expectedOutputs: z.array(text).default([]),
  checks: z.array(checkSchema).default([]),
});
export type TaskFrontMatter = z.output<typeof taskFrontMatterSchema>;
