import { z } from 'zod';
import { WaybillError } from '../../../contract/errors.ts';
import type { JsonObject, JsonValue } from '../../../contract/json.ts';

const verdicts = {
  review: z.object({ verdict: z.enum(['approved', 'changes_requested']), findings: z.array(z.json()).default([]) }),
  update_spec: z.object({
    verdict: z.enum(['updated', 'no_changes_needed', 'changes_requested']),
    findings: z.array(z.json()).default([]),
  }),
};

export interface Verdict {
  readonly changesRequested: boolean;
  readonly findings: readonly JsonValue[];
}

/** Reads what a reviewer or a spec maintainer answered. @throws WaybillError `check_failed` when it is no verdict */
export function readVerdict(action: keyof typeof verdicts, outputs: JsonObject): Verdict {
  const parsed = verdicts[action].safeParse(outputs);
  if (parsed.success) {
    return { changesRequested: parsed.data.verdict === 'changes_requested', findings: parsed.data.findings };
  }
  const problems = parsed.error.issues.map((issue) => `${issue.path.join('/')}: ${issue.message}`).join('; ');
  throw new WaybillError('check_failed', `the answer to ${action} is no verdict: ${problems}`, {
    hint: `An answer to ${action} has \`verdict\`, and \`findings\` when it asks for changes.`,
  });
}
