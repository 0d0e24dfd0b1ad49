import type { SubmitRun } from '../../../contract/api/runs.ts';
import { WaybillError } from '../../../contract/errors.ts';
import type { JsonValue } from '../../../contract/json.ts';
import { findByKey } from '../../../domain/runs/find-by-key.ts';
import { findWorkflow } from '../../../domain/runs/find-workflow.ts';
import type { Tool } from '../../../domain/runs/ports.ts';
import type { SubmitRequest, Submitted } from '../../../domain/runs/queue/submit-run.ts';
import { outlineOfNew, type RunOutline } from '../../../domain/runs/run-outline.ts';
import { snapshotModeOf } from '../../../domain/runs/workflows/tool.ts';
import { invalidRequest, issuesIn } from '../describe-error.ts';
import type { HttpParts } from '../http-parts.ts';

type SubmitParts = Pick<HttpParts, 'engine' | 'tools' | 'workspace' | 'configuration' | 'submit'>;
type From = { readonly actor: string; readonly idempotencyKey?: string };

/**
 * Makes the run a body asks for. Whatever is wrong with it is said before any run exists.
 * @throws WaybillError `tool_*`, `task_*`, `workflow_not_found`, `invalid_input` whose problems have paths in the request
 */
export async function submitBody(
  parts: SubmitParts,
  body: SubmitRun,
  from: From,
): Promise<{ readonly submitted: Pick<Submitted, 'runId' | 'created'>; readonly outline: RunOutline | null }> {
  const what = await whatToRun(parts, body).catch(async (error: unknown) => {
    const runId = await earlierRun(parts, body, from);
    if (runId === undefined) throw error;
    return runId;
  });
  if (typeof what === 'string') return { submitted: { runId: what, created: false }, outline: null };
  const request: SubmitRequest = { ...what, tasks: body.tasks, priority: body.priority, ...from };
  const submitted = await parts.submit(request).catch((error: unknown) => {
    throw inBody(error);
  });
  const { runId, createdAt, claimed } = submitted;
  if (createdAt === null) return { submitted, outline: null };
  const begun = claimed?.begun !== undefined;
  return { submitted, outline: outlineOfNew({ ...request, runId, createdAt, begun }) };
}

async function whatToRun(
  { tools, workspace, configuration }: SubmitParts,
  { tool: id, workflow = 'tool', input: given, tasks }: SubmitRun,
): Promise<Pick<SubmitRequest, 'workflow' | 'tool' | 'input' | 'snapshot'>> {
  if (id !== undefined) {
    const tool = await tools.find(id);
    const input = given ?? {};
    const problems = tool.inputProblems(input);
    if (problems.length === 0) return toolRequest(tool, input);
    throw invalidRequest(problems.map(({ path, message }) => ({ path: inputPath(path), message })));
  }
  if (workflow === 'tool') {
    // By its name it would pass by the check of its input and the limits of its tool.
    throw invalidRequest([
      { path: 'body.workflow', message: 'is what runs a tool: give "tool" and its "input" instead' },
    ]);
  }
  if (workflow !== 'task') return { workflow, tool: null, input: given ?? null };
  const { taskRunInput } = await import('../../../domain/workspace/tasks/task-run-input.ts');
  return { workflow, tool: null, input: await taskRunInput(workspace, configuration, tasks) };
}

/** The run this very request made before: a tool that was changed or removed since takes nothing from it. */
async function earlierRun({ engine }: SubmitParts, { tool, input = {}, tasks, priority }: SubmitRun, from: From) {
  if (tool === undefined || from.idempotencyKey === undefined) return undefined;
  const workflow = findWorkflow(engine.workflows, 'tool');
  return findByKey(engine, { ...from, workflow, tasks, priority, input: { tool, input } });
}

function toolRequest(tool: Tool, input: JsonValue) {
  const { id } = tool.description;
  return { workflow: 'tool', tool: id, input: { tool: id, input }, snapshot: snapshotModeOf(tool) };
}

/** The domain knows the input only, a caller the whole body: `files[0]` becomes `body.input.files[0]`. */
function inBody(error: unknown): unknown {
  if (!(error instanceof WaybillError) || error.code !== 'invalid_input') return error;
  const issues = issuesIn(error).map(({ path, message }) => ({ path: inputPath(path), message }));
  return issues.length === 0 ? error : invalidRequest(issues, error);
}

function inputPath(path: string): string {
  const input = 'body.input';
  return path === '' || path.startsWith('[') ? `${input}${path}` : `${input}.${path}`;
}
