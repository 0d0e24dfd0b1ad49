import { type ErrorCode, errorCodes, WaybillError } from './errors.ts';
import type { Failure } from './evidence.ts';
import type { JsonObject } from './json.ts';

function codeOf(text: string): ErrorCode {
  return isErrorCode(text) ? text : 'step_failed';
}

function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(errorCodes, text);
}

/**
 * What a failed step throws into its workflow. Made from the recorded failure alone, so the workflow sees the
 * same error when it happens and when the run is resumed.
 */
export class StepError extends WaybillError {
  override readonly name = 'StepError';
  readonly step: string;
  readonly failure: Failure;

  constructor(step: string, failure: Failure) {
    super(codeOf(failure.code), failure.message, {
      ...(failure.hint === undefined ? {} : { hint: failure.hint }),
      details: { step, ...(failure.details === undefined ? {} : failure.details) } satisfies JsonObject,
    });
    this.step = step;
    this.failure = failure;
  }
}
