import { WaybillError } from './errors.ts';

/** Where in which tree of work we are. The correlation id is the W3C trace id. Always frozen. */
export interface Correlation {
  readonly correlationId: string;
  readonly spanId: string;
  /** null in the root span. */
  readonly parentSpanId: string | null;
  readonly component: string;
  /** Microseconds since 1970, UTC. */
  readonly startedAt: number;
}

export interface CorrelationScope {
  /** Who works here: `cli`, `run-worker`, `agents` ... */
  readonly component: string;
  /** A `traceparent` from outside. Ours is its child; a malformed or oversized one is replaced and noted. */
  readonly inbound?: string | null | undefined;
  /** The span's name; the component unless given. */
  readonly name?: string;
}

/** What the running program offers to plugins, which may import nothing of it but the contract. */
export interface CorrelationCalls {
  correlationScope<T>(options: CorrelationScope, fn: () => T): T;
  childSpan<T>(name: string, fn: () => T): T;
  currentCorrelation(): Correlation | undefined;
}

let running: CorrelationCalls | undefined;

/** The running program says how correlation is done; it does so once, when it starts. */
export function offerCorrelation(calls: CorrelationCalls): void {
  running = calls;
}

/** @throws WaybillError `correlation_missing` when nothing runs that knows of correlation */
export function offeredCorrelation(): CorrelationCalls {
  if (running !== undefined) return running;
  throw new WaybillError('correlation_missing', 'no running waybill offers correlation here', {
    hint: 'This works in code that waybill itself has loaded: a configuration, a workflow, a plugin.',
  });
}
