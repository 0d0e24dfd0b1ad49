import { WaybillError } from '../../contract/errors.ts';
import type { JsonObject, JsonValue } from '../../contract/json.ts';
import { type Clock, systemClock } from '../clock/clock.ts';
import { type Correlation, currentCorrelation, originOf } from '../correlation/correlation.ts';
import { makeId, makeSpanId, makeTraceId } from '../ids/make-id.ts';
import { redactActor } from '../redaction/redact-actor.ts';
import type { Redactor } from '../redaction/redactor.ts';
import { boundedText } from './bounded-text.ts';
import { deepFreeze, type ErrorEnvelope, envelopeSchemaVersion } from './envelope.ts';
import { type ClassOf, type ErrorClass, type Layer, mayEmit, type Severity } from './error-class.ts';
import { exceptionChain, exceptionTypeOf } from './exception-chain.ts';
import { fingerprintOf, fingerprintVersion, normalizeMessage } from './fingerprint.ts';
import { hashInput } from './input-hash.ts';

/** What belongs to the workspace and the process rather than to one failure. */
export interface EmitterSettings {
  readonly workspaceId: string;
  readonly release: string;
  /** From `workspaceKey`. */
  readonly inputKey: Uint8Array;
  /** Of the profile `envelope`. */
  readonly redactor: Redactor;
  readonly synthetic?: boolean;
  readonly clock?: Clock;
}

/** What is known of one failure. Texts are redacted and bounded, the input only hashed. */
export interface EnvelopeDraft<C extends ErrorClass = ErrorClass> {
  readonly errorClass: C;
  readonly severity: Severity;
  readonly message: string;
  /** What was thrown, when something was. */
  readonly error?: unknown;
  readonly input?: JsonValue | undefined;
  readonly context?: JsonObject;
  readonly decisionId?: string | null;
  readonly runId?: string | null;
  readonly step?: string | null;
  readonly agentId?: string | null;
  readonly actor?: string | null;
  readonly exitCode?: number | null;
  readonly signal?: string | null;
}

/** Makes the envelopes of one component; takes only the classes its layer may emit. */
export interface Emitter<L extends Layer> {
  readonly layer: L;
  readonly component: string;
  /**
   * The envelope of one failure, frozen, in the span the error came from or else the current one; outside of any
   * scope it is the root of a tree of its own. It is not stored yet.
   * @throws WaybillError `envelope_invalid` when the class is not for this layer
   */
  emit(draft: EnvelopeDraft<ClassOf<L>>): ErrorEnvelope;
}

export type EmitterFor = <L extends Layer>(layer: L, component: string) => Emitter<L>;

const longestMessage = 1000;
const longestName = 256;
const longestContext = 8192;
const longestFact = 200;
const mostItems = 20;
const mostFields = 50;
const deepestContext = 6;

/** The one maker of emitters of a process: `emitterFor('L4', 'runs').emit({ errorClass: 'domain.constraint', ... })`. */
export function createEmitters(settings: EmitterSettings): EmitterFor {
  return (layer, component) => ({
    layer,
    component,
    emit: (draft) => makeEnvelope(settings, layer, component, draft),
  });
}

function makeEnvelope(settings: EmitterSettings, layer: Layer, component: string, draft: EnvelopeDraft): ErrorEnvelope {
  if (!mayEmit(layer, draft.errorClass)) {
    throw new WaybillError('envelope_invalid', `${component} in layer ${layer} cannot emit ${draft.errorClass}`, {
      hint: 'domain.* is for L4, infra.* for all others.',
    });
  }
  const { redactor } = settings;
  const name = (text: string | null | undefined): string | null =>
    text === null || text === undefined ? null : boundedText(redactor, text, longestName);
  const where = originOf(draft.error) ?? currentCorrelation() ?? ownTree();
  const message = boundedText(redactor, draft.message, longestMessage);
  const exceptionType = draft.error === undefined ? null : exceptionTypeOf(draft.error);
  const step = name(draft.step);
  const exit = draft.signal ?? (typeof draft.exitCode === 'number' ? `exit ${draft.exitCode}` : null);
  const exitFacts = exit === null ? {} : { exitCode: draft.exitCode ?? null, signal: draft.signal ?? null };
  return deepFreeze({
    schemaVersion: envelopeSchemaVersion,
    errorId: makeId('envelope'),
    workspaceId: settings.workspaceId,
    timestamp: (settings.clock ?? systemClock).now(),
    layer,
    component,
    errorClass: draft.errorClass,
    severity: draft.severity,
    message,
    correlationId: where.correlationId,
    spanId: where.spanId,
    parentSpanId: where.parentSpanId,
    decisionId: name(draft.decisionId),
    runId: name(draft.runId),
    step,
    agentId: name(draft.agentId),
    actor:
      draft.actor === null || draft.actor === undefined
        ? null
        : redactActor(draft.actor, (text) => boundedText(redactor, text, longestName)),
    inputHash: hashInput(settings.inputKey, draft.input),
    exceptionType,
    exceptionChain: exceptionChain(redactor, draft.error),
    context: boundedContext(redactor, { ...draft.context, ...exitFacts }),
    fingerprint: fingerprintOf({
      type: exceptionType ?? draft.errorClass,
      message: normalizeMessage(message),
      step,
      exit,
    }),
    fingerprintVersion,
    release: settings.release,
    synthetic: settings.synthetic ?? false,
  });
}

function ownTree(): Pick<Correlation, 'correlationId' | 'spanId' | 'parentSpanId'> {
  return { correlationId: makeTraceId(), spanId: makeSpanId(), parentSpanId: null };
}

/** Facts, not inputs: texts of 200 characters, lists of 20, six levels, 8 KiB in all; what is cut says so. */
function boundedContext(redactor: Redactor, context: JsonObject): JsonObject {
  // The names of fields say which values are secret, so the whole is redacted before its parts are cut. Lists say nothing
  // by their ends, and a request can have ten thousand problems.
  const { value } = redactor.json(withShortLists(context, 0));
  const bounded = isObject(value) ? shortenObject(redactor, value, 0) : {};
  return JSON.stringify(bounded).length > longestContext ? { cut: true } : bounded;
}

function withShortLists(value: JsonValue, depth: number): JsonValue {
  if (value === null || typeof value !== 'object' || depth >= deepestContext) return value;
  if (isList(value)) return value.slice(0, mostItems).map((item) => withShortLists(item, depth + 1));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withShortLists(item, depth + 1)]));
}

function shorten(redactor: Redactor, value: JsonValue, depth: number): JsonValue {
  if (typeof value === 'string') return boundedText(redactor, value, longestFact);
  if (typeof value === 'number' && !Number.isFinite(value)) return null;
  if (value === null || typeof value !== 'object') return value;
  if (depth >= deepestContext) return '…';
  if (isList(value)) return value.slice(0, mostItems).map((item) => shorten(redactor, item, depth + 1));
  return shortenObject(redactor, value, depth);
}

function shortenObject(redactor: Redactor, object: JsonObject, depth: number): JsonObject {
  const entries = Object.entries(object).slice(0, mostFields);
  return Object.fromEntries(
    entries.map(([key, item]) => [boundedText(redactor, key, 100), shorten(redactor, item, depth + 1)]),
  );
}

function isList(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}

function isObject(value: JsonValue): value is JsonObject {
  return typeof value === 'object' && value !== null && !isList(value);
}
