import type { Configuration } from '../../../contract/configuration.ts';
import { WaybillError } from '../../../contract/errors.ts';
import type { JsonValue } from '../../../contract/json.ts';
import type { Workspace } from '../workspace.ts';

/**
 * The input of the built-in workflow `task`, made of the task files and the configuration: what a run of it does is
 * in its input, and a later edit of either changes nothing of it.
 * @throws WaybillError `invalid_input` without a task, `task_not_found`, `task_invalid`, `agent_not_found`
 */
export async function taskRunInput(
  workspace: Workspace,
  configuration: Configuration,
  ids: readonly string[],
): Promise<JsonValue> {
  if (ids.length === 0) {
    throw new WaybillError('invalid_input', 'the workflow "task" needs a task', {
      hint: 'Name one: waybill run --task T-0001. See which there are: waybill tasks list',
    });
  }
  // Here, not above: the YAML parser is 72 modules that a run without tasks does not need.
  const { readTask } = await import('./read-task.ts');
  const tasks = await Promise.all(ids.map((id) => readTask(workspace, id)));
  const { builder, reviewer, specMaintainer } = configuration.roles;
  if (builder === null || reviewer === null || specMaintainer === null) {
    const roles = Object.entries({ builder, reviewer, specMaintainer });
    const missing = roles.filter(([, agent]) => agent === null).map(([role]) => role);
    throw new WaybillError('agent_not_found', `no agent is configured for ${missing.join(', ')}`, {
      hint: 'Name the agents under `agents` in waybill.config.ts after their parts, or map them under `roles`.',
    });
  }
  return {
    tasks: tasks.map(({ id, title, goal, inputs, expectedOutputs, checks }) => ({
      id,
      title,
      goal,
      inputs,
      expectedOutputs: [...expectedOutputs],
      checks: checks.map((check) => JSON.parse(JSON.stringify(check))),
    })),
    roles: { builder, reviewer, specMaintainer },
    maxIterations: configuration.maxIterations,
    allowedFailures: [...configuration.tests.allowedFailures],
  };
}
