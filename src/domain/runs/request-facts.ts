import { WaybillError } from '../../contract/errors.ts';
import type { JsonObject, JsonValue } from '../../contract/json.ts';
import type { AnyWorkflow } from '../../contract/workflow.ts';
import { canonicalJson } from '../../platform/canonical-json/canonical-json.ts';
import type { Engine } from './engine.ts';
import type { RunOrigin } from './start-run.ts';
import { keepOutputs } from './steps/receipt.ts';

/** What was asked for, as it is stored: checked and redacted. */
export interface RequestFacts {
  /** Read back from its text, as `asStored` does: what a workflow sees before and after a crash is the same. */
  readonly input: JsonValue;
  /** The input in canonical JSON: what is stored and hashed. */
  readonly text: string;
  /** The part of the first event that says what was asked for. */
  readonly data: JsonObject;
}

/** @throws WaybillError `invalid_input` naming each problem */
export async function requestFacts(
  engine: Pick<Engine, 'redact' | 'blobs'>,
  request: {
    readonly workflow: AnyWorkflow;
    readonly input: JsonValue;
    readonly tasks: readonly string[];
    readonly actor: string;
    readonly origin?: RunOrigin;
  },
): Promise<RequestFacts> {
  const { workflow, tasks, actor, origin } = request;
  const { value, count } = engine.redact.json(request.input);
  const problems = workflow.problems(value);
  if (problems.length > 0) {
    const list = problems.map(({ path, message }) => `${path}: ${message}`).join('; ');
    throw new WaybillError('invalid_input', `the input does not fit the workflow "${workflow.name}": ${list}`, {
      hint: 'Give the input as JSON with --input.',
      details: { problems: problems.map(({ path, message }) => ({ path, message })) },
    });
  }
  const kept = await keepOutputs(value, engine.blobs);
  const text = canonicalJson(value);
  const input: JsonValue = JSON.parse(text);
  return {
    input,
    text,
    data: {
      workflow: workflow.name,
      tasks: [...tasks],
      actor,
      ...(kept.outputsBlob === undefined ? { input: kept.outputs ?? null } : { inputBlob: kept.outputsBlob }),
      ...(count > 0 ? { redactions: count } : {}),
      ...(origin === undefined ? {} : { origin: originFacts(origin) }),
    },
  };
}

function originFacts(origin: RunOrigin) {
  return {
    runId: origin.runId,
    kind: origin.kind,
    from: origin.from,
    reason: origin.reason,
    receipts: origin.receipts.length,
  };
}
