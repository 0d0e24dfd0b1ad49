/** `waybill/plugin`: what a plugin, and a workflow that wants to be seen in its run's tree of work, can call. */
import { type Correlation, type CorrelationScope, offeredCorrelation } from '../../contract/correlation.ts';

export type { Correlation, CorrelationScope };

/**
 * Runs `fn` in a span of its own: a child of `inbound` when that is usable, else of the scope we are in, else the
 * root of a new tree. The span ends when a returned promise settles; what `fn` returns or throws passes through.
 * @throws WaybillError `correlation_missing` outside of a running waybill
 */
export function correlationScope<T>(options: CorrelationScope, fn: () => T): T {
  return offeredCorrelation().correlationScope(options, fn);
}

/**
 * Runs `fn` in a child span of the current one.
 * @throws WaybillError `correlation_missing` outside of any scope
 */
export function childSpan<T>(name: string, fn: () => T): T {
  return offeredCorrelation().childSpan(name, fn);
}

/** Where we are, or undefined outside of any scope. @throws WaybillError `correlation_missing` outside of a running waybill */
export function currentCorrelation(): Correlation | undefined {
  return offeredCorrelation().currentCorrelation();
}
