import { z } from 'zod';
import { idShapes } from '../ids.ts';
import { toolDescriptionSchema } from '../tool.ts';

const digest = z.string().regex(idShapes.digest);

const toolSummaryShape = {
  id: z.string(),
  version: z.string(),
  title: z.string(),
  description: z.string(),
  kind: z.enum(['command', 'function']),
  sideEffects: z.enum(['none', 'workspace', 'external']),
  available: z.boolean().describe('False when the workspace does not grant what it needs; then `reason` says what.'),
  reason: z.string().nullable(),
};

export const toolSummarySchema = z.strictObject(toolSummaryShape).describe('A tool in short.');
export type ToolSummary = z.infer<typeof toolSummarySchema>;

export const toolDetailSchema = z
  .strictObject({
    ...toolSummaryShape,
    descriptor: toolDescriptionSchema,
    descriptionDigest: digest.describe('Over the bytes of `tool.json`.'),
    inputSchemaDigest: digest,
    outputSchemaDigest: digest,
  })
  .describe('Everything about a tool, its schemas included.');
export type ToolDetail = z.infer<typeof toolDetailSchema>;

export const toolListSchema = z
  .strictObject({
    tools: z.array(toolSummarySchema),
    invalid: z
      .array(z.strictObject({ file: z.string(), reason: z.string() }))
      .describe('Descriptions that cannot be used, each with its file and why.'),
  })
  .describe('The tools of the workspace, by id.');
export type ToolList = z.infer<typeof toolListSchema>;
