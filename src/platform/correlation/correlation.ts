import { AsyncLocalStorage } from 'node:async_hooks';
import { type Correlation, type CorrelationScope, offerCorrelation } from '../../contract/correlation.ts';
import { WaybillError } from '../../contract/errors.ts';
import { systemClock } from '../clock/clock.ts';
import { makeSpanId, makeTraceId } from '../ids/make-id.ts';
import type { Span, SpanSink } from './span.ts';
import { formatTraceparent, parseTraceparent } from './trace-context.ts';

export type { Correlation };

export interface ScopeOptions extends CorrelationScope {
  /** Where the spans of this tree go; inherited by everything below. Without one they are not kept. */
  readonly sink?: SpanSink;
  /** A tree of its own, whatever scope we are in: for what comes in from outside while a command runs. */
  readonly apart?: boolean;
}

interface Scope {
  readonly correlation: Correlation;
  readonly sink: SpanSink | undefined;
}

const scopes = new AsyncLocalStorage<Scope>();
/** Where an error was first seen leaving a span: the innermost one, whoever records it later. */
const origins = new WeakMap<object, Correlation>();

/**
 * Runs `fn` in a span of its own: a child of `inbound` when that is usable, else of the scope we are in, else the
 * root of a new tree. Whatever `fn` returns or throws passes through; the span ends when a returned promise settles.
 */
export function correlationScope<T>(options: ScopeOptions, fn: () => Promise<T>): Promise<T>;
export function correlationScope<T>(options: ScopeOptions, fn: () => T): T;
export function correlationScope<T>(options: ScopeOptions, fn: () => T | Promise<T>): T | Promise<T> {
  const outer = options.apart === true ? undefined : scopes.getStore();
  const inbound = options.inbound ? parseTraceparent(options.inbound) : undefined;
  const parent = inbound?.usable
    ? { correlationId: inbound.traceId, spanId: inbound.spanId }
    : (outer?.correlation ?? undefined);
  const scope: Scope = { correlation: beginSpan(options.component, parent), sink: options.sink ?? outer?.sink };
  const note = inbound?.usable === false ? `inbound traceparent ${inbound.reason}` : null;
  return runSpan(scope, options.name ?? options.component, note, fn);
}

/**
 * Runs `fn` in a child span of the current one, with the same component.
 * @throws WaybillError `correlation_missing` outside of any scope
 */
export function childSpan<T>(name: string, fn: () => Promise<T>): Promise<T>;
export function childSpan<T>(name: string, fn: () => T): T;
export function childSpan<T>(name: string, fn: () => T | Promise<T>): T | Promise<T> {
  const outer = scopes.getStore();
  if (outer === undefined) {
    throw new WaybillError('correlation_missing', `the span ${JSON.stringify(name)} has no scope to be a child of`, {
      hint: 'Open one with correlationScope({ component }, fn) where the work enters the program.',
    });
  }
  const { correlation, sink } = outer;
  return runSpan({ correlation: beginSpan(correlation.component, correlation), sink }, name, null, fn);
}

/** Where we are, or undefined outside of any scope. */
export function currentCorrelation(): Correlation | undefined {
  return scopes.getStore()?.correlation;
}

/** The `traceparent` to hand on: in a header, an environment, an event. null outside of any scope. */
export function currentTraceparent(): string | null {
  const correlation = currentCorrelation();
  return correlation === undefined ? null : formatTraceparent(correlation);
}

/** The innermost span an error left on its way out; undefined when it left none. */
export function originOf(error: unknown): Correlation | undefined {
  return isObject(error) ? origins.get(error) : undefined;
}

function beginSpan(
  component: string,
  parent: { readonly correlationId: string; readonly spanId: string } | undefined,
): Correlation {
  return Object.freeze({
    correlationId: parent?.correlationId ?? makeTraceId(),
    spanId: makeSpanId(),
    parentSpanId: parent?.spanId ?? null,
    component,
    startedAt: systemClock.now(),
  });
}

function runSpan<T>(scope: Scope, name: string, note: string | null, fn: () => T | Promise<T>): T | Promise<T> {
  const end = (outcome: Span['outcome']): void => {
    scope.sink?.record({ ...scope.correlation, name, endedAt: systemClock.now(), outcome, note });
  };
  const fail = (error: unknown): never => {
    if (isObject(error) && !origins.has(error)) origins.set(error, scope.correlation);
    end('failed');
    throw error;
  };
  let result: T | Promise<T>;
  try {
    result = scopes.run(scope, fn);
  } catch (error) {
    return fail(error);
  }
  if (!(result instanceof Promise)) {
    end('succeeded');
    return result;
  }
  return result.then((value: T) => {
    end('succeeded');
    return value;
  }, fail);
}

function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}

offerCorrelation({ correlationScope, childSpan, currentCorrelation });
