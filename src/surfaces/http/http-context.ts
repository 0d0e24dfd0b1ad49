import type { HttpParts } from './http-parts.ts';
import type { Measurements } from './measurements.ts';

/** What all routes of one server share. */
export interface HttpContext {
  readonly parts: HttpParts;
  /** Aborted when the server begins to close: streams end with the reason `drain`, waits answer at once. */
  readonly drain: AbortSignal;
  readonly measurements: Measurements;
}
