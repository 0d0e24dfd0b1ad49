import { z } from 'zod';
import { defineWorkflow } from '../../../contract/define.ts';
import { WaybillError } from '../../../contract/errors.ts';
import { isJsonObject, type JsonValue } from '../../../contract/json.ts';
import type { AnyWorkflow } from '../../../contract/workflow.ts';
import type { Tool, ToolPort } from '../ports.ts';

const input = z.strictObject({ tool: z.string().min(1), input: z.json().default({}) });

/** The built-in workflow behind a submitted tool: one call of it, with everything a run gives it. */
export const toolWorkflow = defineWorkflow('tool', { input, snapshot: 'none' }, (run, given) =>
  run.tool(given.tool, given.input),
);

/** What a run of this tool alone records of the tree: nothing, unless the tool changes it. */
export function snapshotModeOf(tool: Tool): AnyWorkflow['snapshot'] {
  return tool.description.sideEffects === 'workspace' ? 'list' : 'none';
}

/**
 * The tool that a run of this workflow with this input calls; null for another workflow, and for a tool that cannot be
 * used: then its step says why.
 * @throws WaybillError `file_read_failed`, when it is the machine that cannot say
 */
export async function toolOfRun(tools: ToolPort, workflow: AnyWorkflow, input: JsonValue): Promise<Tool | null> {
  if (workflow !== toolWorkflow || !isJsonObject(input) || typeof input.tool !== 'string') return null;
  try {
    return await tools.find(input.tool);
  } catch (error) {
    if (error instanceof WaybillError && error.exitCode !== 3) return null;
    throw error;
  }
}
