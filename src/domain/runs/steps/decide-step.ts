import { WaybillError } from '../../../contract/errors.ts';
import type { JsonValue } from '../../../contract/json.ts';
import type { DecisionEngine } from '../../../contract/workflow.ts';
import { digestOf } from '../../../platform/digests/digest.ts';
import { makeId } from '../../../platform/ids/make-id.ts';
import type { Execution } from '../execution/execution.ts';
import { keepOutputs } from './receipt.ts';
import { runStep } from './run-step.ts';
import { noRetry, type StepPlace } from './step-place.ts';

/** Asks a pure engine and records its answer with the engine's version and the digest of its code. */
export async function decideStep<I extends JsonValue, O extends JsonValue>(
  execution: Execution,
  place: StepPlace,
  engine: DecisionEngine<I, O>,
  input: I,
): Promise<JsonValue> {
  const code = digestOf(engine.decide.toString());
  const result = await runStep(
    execution,
    {
      ...place,
      action: 'decide',
      name: engine.name,
      inputs: { engine: engine.name, version: engine.version, input },
      expectedOutputs: [],
      retry: noRetry,
      restarts: 0,
      touchesTree: false,
      inProcess: true,
    },
    async (attempt) => {
      const decided = engine.decide(input);
      if (decided instanceof Promise) {
        decided.catch(() => {});
        throw new WaybillError(
          'decision_failed',
          `the decision engine "${engine.name}" is not a pure function: it returned a promise`,
          {
            hint: 'Gather what it needs in steps before, and pass it as input.',
          },
        );
      }
      const output = execution.engine.redact.json(decided).value;
      const kept = await keepOutputs(output, execution.engine.blobs);
      attempt.atEnd(
        [
          {
            type: 'decision.recorded',
            step: attempt.step,
            attempt: attempt.number,
            data: {
              decision: makeId('decision'),
              engine: engine.name,
              version: engine.version,
              code,
              ...(kept.outputs === undefined ? { outputBlob: kept.outputsBlob } : { output: kept.outputs }),
            },
          },
        ],
        [],
      );
      return { outputs: decided, artifacts: [] };
    },
  );
  return result.outputs;
}
