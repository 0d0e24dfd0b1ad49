import type { LedgerEvent, StepReference } from '../../contract/evidence.ts';
import type { JsonValue } from '../../contract/json.ts';

/** A step as it is shown and typed: `review`, `review#2`, `de/translate`. */
export function stepName(step: StepReference): string {
  const name = step.occurrence === 1 ? step.name : `${step.name}#${step.occurrence}`;
  return [...step.scope, name].join('/');
}

/** A field of an event that is text, or undefined. */
export function textField(event: LedgerEvent, key: string): string | undefined {
  const value = event.data[key];
  return typeof value === 'string' ? value : undefined;
}

export function numberField(event: LedgerEvent, key: string): number | undefined {
  const value = event.data[key];
  return typeof value === 'number' ? value : undefined;
}

/** A field of a JSON object; undefined for anything else. */
export function fieldOf(value: JsonValue | undefined, key: string): JsonValue | undefined {
  if (value === null || typeof value !== 'object' || isList(value)) return undefined;
  return Object.hasOwn(value, key) ? value[key] : undefined;
}

export function listOf(value: JsonValue | undefined): readonly JsonValue[] {
  return value !== null && typeof value === 'object' && isList(value) ? value : [];
}

function isList(value: object): value is readonly JsonValue[] {
  return Array.isArray(value);
}

/** `process_exit: npm ended with exit code 1`, from the failure an event carries. */
export function failureText(event: LedgerEvent): string {
  const failure = event.data.failure ?? event.data.reason;
  const code = fieldOf(failure, 'code');
  const message = fieldOf(failure, 'message');
  return [code, message].filter((part) => typeof part === 'string').join(': ');
}

/** A finding of a review in one line: a text, or an object with a message and perhaps a place. */
export function findingText(finding: JsonValue): string {
  if (typeof finding === 'string') return finding;
  const message = fieldOf(finding, 'message') ?? fieldOf(finding, 'title');
  if (typeof message !== 'string') return JSON.stringify(finding);
  const path = fieldOf(finding, 'path') ?? fieldOf(finding, 'file');
  const line = fieldOf(finding, 'line');
  if (typeof path !== 'string') return message;
  return `${path}${typeof line === 'number' ? `:${line}` : ''} ${message}`;
}
