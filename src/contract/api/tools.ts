import { z } from 'zod';
import { idShapes } from '../ids.ts';
import { toolDescriptionSchema } from '../tool.ts';

const digest = z.string().regex(idShapes.digest);

/** A tool as one row of a list. */
export const toolSummarySchema = z.strictObject({
  id: z.string(),
  version: z.string(),
  title: z.string(),
  description: z.string(),
  kind: z.enum(['command', 'function']),
  sideEffects: z.enum(['none', 'workspace', 'external']),
  /** False when the workspace does not grant what it needs; then `reason` says what. */
  available: z.boolean(),
  reason: z.string().nullable(),
});
export type ToolSummary = z.infer<typeof toolSummarySchema>;

/** Everything about a tool, its schemas included. */
export const toolDetailSchema = toolSummarySchema.extend({
  descriptor: toolDescriptionSchema,
  /** Over the bytes of `tool.json`. */
  descriptionDigest: digest,
  inputSchemaDigest: digest,
  outputSchemaDigest: digest,
});
export type ToolDetail = z.infer<typeof toolDetailSchema>;

export const toolListSchema = z.strictObject({
  tools: z.array(toolSummarySchema),
  /** Descriptions that cannot be used, each with its file and why: none is skipped in silence. */
  invalid: z.array(z.strictObject({ file: z.string(), reason: z.string() })),
});
export type ToolList = z.infer<typeof toolListSchema>;
