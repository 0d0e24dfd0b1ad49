import { WaybillError } from '../../../contract/errors.ts';
import type { StepReference } from '../../../contract/evidence.ts';
import type { JsonValue } from '../../../contract/json.ts';
import type { Execution } from '../execution/execution.ts';

/**
 * The place of the step a workflow asks for, counted among those of the same name and inputs. Names and scopes are
 * often made of what a workflow works on (`run.each` takes keys of items), so secrets are taken out of them too.
 */
export function stepReference(
  execution: Execution,
  place: { readonly scope: readonly string[]; readonly name: string },
  inputs: JsonValue,
): StepReference {
  const scope = place.scope.map((part) => withoutSecrets(execution, part));
  const name = withoutSecrets(execution, place.name);
  return { scope, name, occurrence: execution.occurrences.next(scope, name, inputs) };
}

/**
 * A name or a path as it is recorded.
 * @throws WaybillError `invalid_argument` when it is no text: node runs a workflow without looking at its types, and
 * a receipt with a number for a name could be written and never be read again
 */
export function withoutSecrets({ engine }: Execution, text: string): string {
  if (typeof text === 'string') return engine.redact.text(text).text;
  throw new WaybillError('invalid_argument', `the name, scope or path of a step must be a text, not a ${typeof text}`, {
    hint: 'Turn it into a text first: String(value).',
  });
}
