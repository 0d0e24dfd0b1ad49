import type { SubmitRun } from '../../../contract/api/runs.ts';
import { WaybillError } from '../../../contract/errors.ts';
import { findByKey } from '../../../domain/runs/find-by-key.ts';
import { findWorkflow } from '../../../domain/runs/find-workflow.ts';
import type { SubmitRequest, Submitted } from '../../../domain/runs/queue/submit-run.ts';
import { outlineOfNew, type RunOutline } from '../../../domain/runs/run-outline.ts';
import { whatToRun } from '../../../domain/workspace/what-to-run.ts';
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
    if (runId === undefined) throw inBody(error, 'body');
    return runId;
  });
  if (typeof what === 'string') return { submitted: { runId: what, created: false }, outline: null };
  const request: SubmitRequest = { ...what, tasks: body.tasks, priority: body.priority, ...from };
  const submitted = await parts.submit(request).catch((error: unknown) => {
    throw inBody(error, 'body.input');
  });
  const { runId, createdAt, claimed } = submitted;
  if (createdAt === null) return { submitted, outline: null };
  const begun = claimed?.begun !== undefined;
  return { submitted, outline: outlineOfNew({ ...request, runId, createdAt, begun }) };
}

/** The run this very request made before: a tool that was changed or removed since takes nothing from it. */
async function earlierRun({ engine }: SubmitParts, { tool, input = {}, tasks, priority }: SubmitRun, from: From) {
  if (tool === undefined || from.idempotencyKey === undefined) return undefined;
  const workflow = findWorkflow(engine.workflows, 'tool');
  return findByKey(engine, { ...from, workflow, tasks, priority, input: { tool, input } });
}

/** The domain knows a part of the body only: its `files[0]` becomes `body.input.files[0]` for the caller. */
function inBody(error: unknown, part: 'body' | 'body.input'): unknown {
  if (!(error instanceof WaybillError) || error.code !== 'invalid_input') return error;
  const issues = issuesIn(error).map(({ path, message }) => ({
    path: path === '' || path.startsWith('[') ? `${part}${path}` : `${part}.${path}`,
    message,
  }));
  return issues.length === 0 ? error : invalidRequest(issues, error);
}
