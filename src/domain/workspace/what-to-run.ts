import type { Configuration } from '../../contract/configuration.ts';
import { WaybillError } from '../../contract/errors.ts';
import type { JsonValue } from '../../contract/json.ts';
import type { ToolPort } from '../runs/ports.ts';
import type { SubmitRequest } from '../runs/queue/submit-run.ts';
import { inputMisfit } from '../runs/steps/tool-fit.ts';
import { snapshotModeOf, toolWorkflow } from '../runs/workflows/tool.ts';
import type { Workspace } from './workspace.ts';

/** What somebody asks to be run: a tool with its input, or a workflow with its input or its tasks. */
export interface Asked {
  readonly tool?: string | undefined;
  readonly workflow?: string | undefined;
  readonly input?: JsonValue | undefined;
  readonly tasks: readonly string[];
}

/**
 * The part of a submit that follows from what was asked. All that can be wrong with it is said here, before any run exists.
 * @throws WaybillError `tool_*`, `task_*`; `invalid_input`, whose problems have paths in what was asked
 */
export async function whatToRun(
  from: { readonly tools: ToolPort; readonly workspace: Workspace; readonly configuration: Configuration },
  { tool: id, workflow = toolWorkflow.name, input, tasks }: Asked,
): Promise<Pick<SubmitRequest, 'workflow' | 'tool' | 'input' | 'snapshot'>> {
  if (id !== undefined) {
    const tool = await from.tools.find(id);
    const given = input ?? {};
    const misfit = inputMisfit(tool, given);
    if (misfit !== undefined) throw misfit;
    return { workflow: toolWorkflow.name, tool: id, input: { tool: id, input: given }, snapshot: snapshotModeOf(tool) };
  }
  if (workflow === toolWorkflow.name) throw namesNoTool();
  if (workflow !== 'task') return { workflow, tool: null, input: input ?? null };
  const { taskRunInput } = await import('./tasks/task-run-input.ts');
  return { workflow, tool: null, input: await taskRunInput(from.workspace, from.configuration, tasks) };
}

/** By the name of its workflow a tool would pass by the check of its input and by its limits. */
function namesNoTool(): WaybillError {
  const problem = { path: 'workflow', message: 'is what runs a tool: give "tool" and its "input" instead' };
  return new WaybillError('invalid_input', `the workflow "${toolWorkflow.name}" ${problem.message}`, {
    hint: 'See which tools there are: waybill tools',
    details: { problems: [problem] },
  });
}
