import { z } from 'zod';
import { defineWorkflow } from '../../../contract/define.ts';
import type { AnyWorkflow } from '../../../contract/workflow.ts';
import type { Tool } from '../ports.ts';

const input = z.strictObject({ tool: z.string().min(1), input: z.json().default({}) });

/** The built-in workflow behind a submitted tool: one call of it, with everything a run gives it. */
export const toolWorkflow = defineWorkflow('tool', { input, snapshot: 'none' }, (run, given) =>
  run.tool(given.tool, given.input),
);

/** What a run of this tool alone records of the tree: nothing, unless the tool changes it. */
export function snapshotModeOf(tool: Tool): AnyWorkflow['snapshot'] {
  return tool.description.sideEffects === 'workspace' ? 'list' : 'none';
}
