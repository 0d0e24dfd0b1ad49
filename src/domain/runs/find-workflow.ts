import { WaybillError } from '../../contract/errors.ts';
import type { AnyWorkflow } from '../../contract/workflow.ts';

/** @throws WaybillError `workflow_not_found`, naming those there are */
export function findWorkflow(workflows: ReadonlyMap<string, AnyWorkflow>, name: string): AnyWorkflow {
  const workflow = workflows.get(name);
  if (workflow !== undefined) return workflow;
  throw new WaybillError(
    'workflow_not_found',
    `there is no workflow "${name}" (there are: ${[...workflows.keys()].join(', ')})`,
    { hint: 'Add it under `workflows` in waybill.config.ts.' },
  );
}
