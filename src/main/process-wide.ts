import { SpanBuffer } from '../platform/correlation/span-buffer.ts';
import type { ErrorCapture } from '../platform/envelopes/capture.ts';

/** Spans of this process, kept in memory until a store is open. */
export const spans = new SpanBuffer();

/** Where errors of this process go, once a workspace is open. */
export const errors: { capture: ErrorCapture | undefined } = { capture: undefined };
