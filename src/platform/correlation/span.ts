import type { Correlation } from './correlation.ts';

/** One finished span: a stretch of work in a correlation tree. Times in microseconds. */
export interface Span extends Correlation {
  readonly name: string;
  readonly endedAt: number;
  readonly outcome: 'succeeded' | 'failed';
  /** What was wrong with the trace that came in, when it had to be replaced. */
  readonly note: string | null;
}

/** Takes finished spans. Called where work ends, so it must only remember them: no waiting, no throwing. */
export interface SpanSink {
  record(span: Span): void;
}
