import { WaybillError } from '../../../contract/errors.ts';
import type { Failure } from '../../../contract/evidence.ts';
import type { JsonObject, JsonValue } from '../../../contract/json.ts';
import { asStored } from '../../../platform/canonical-json/as-stored.ts';
import type { Redactor } from '../../../platform/redaction/redactor.ts';

const longest = 2000;

/**
 * The record of what a step threw. An error of ours keeps its code; anything else is `step_failed` with its
 * class. Retryable is what the thrower says, and for foreign errors yes: trying again is why retries are set.
 */
export function failureOf(error: unknown, redact: Redactor): Failure {
  if (error instanceof WaybillError) {
    const { retryable, ...details } = error.details ?? {};
    return {
      code: error.code,
      message: textOf(error.message, redact),
      ...(error.hint === undefined ? {} : { hint: redact.text(error.hint.toWellFormed()).text }),
      retryable: retryable === true,
      ...(Object.keys(details).length === 0 ? {} : { details: redactMembers(details, redact) }),
    };
  }
  const { message, exception } = wordsFor(error);
  return {
    code: 'step_failed',
    message: textOf(message, redact),
    retryable: true,
    ...(exception === null ? {} : { details: { exception: textOf(exception, redact) } }),
  };
}

/** Anything can be thrown, also what has no text or no text for a name. */
function wordsFor(error: unknown): { readonly message: string; readonly exception: string | null } {
  try {
    if (!(error instanceof Error)) return { message: String(error), exception: null };
    return { message: String(error.message || error.name), exception: String(error.name) };
  } catch {
    return { message: 'something was thrown that has no text', exception: null };
  }
}

/** Redacted before it is cut: half a secret is not recognized as one. */
function textOf(message: string, redact: Redactor): string {
  return redact.text(message.toWellFormed()).text.slice(0, longest).toWellFormed();
}

/** Also in the order of keys a receipt has, so that the workflow sees the same error when the run is resumed. */
function redactMembers(details: JsonObject, redact: Redactor): Record<string, JsonValue> {
  const sorted = Object.entries(details).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(sorted.map(([key, value]) => [key, asStored(redact.json(value).value)]));
}
