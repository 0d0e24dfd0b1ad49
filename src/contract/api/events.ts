import { z } from 'zod';
import { ledgerEventSchema } from '../evidence.ts';
import { idShapes } from '../ids.ts';

export const ndjsonMediaType = 'application/x-ndjson';
export const sseMediaType = 'text/event-stream';

/**
 * Why a stream of events ended although the run did not: `deadline` (`timeoutMs`), `drain` (this daemon ends: connect
 * again), `gap` (what lies between is removed and cannot be shown), `error` (see `code`). Go on from `cursor`.
 */
export const streamEndReasons = ['deadline', 'drain', 'gap', 'error'] as const;

/**
 * The last line of a stream that does not end with the terminal event. In NDJSON a line like any other, told apart by
 * its `schema`; in SSE an event of the type `end`. It has no `seq`: it is no part of the ledger.
 */
export const streamEndSchema = z
  .strictObject({
    schema: z.literal('waybill.stream-end.v1'),
    runId: z.string().regex(idShapes.run),
    why: z
      .enum(streamEndReasons)
      .describe(
        '`deadline`: `timeoutMs` is over; `drain`: this daemon ends; `gap`: what lies between is removed; `error`: see `code`.',
      ),
    cursor: z
      .int()
      .min(0)
      .describe('`seq` of the last event that was sent, or `since` when none was: go on from here.'),
    lastRemoved: z.int().min(0).nullable().describe('For `gap`: the last `seq` that was removed.'),
    code: z.string().nullable().describe('For `error`: what went wrong.'),
    message: z.string(),
  })
  .describe('The last line of a stream that does not end with the terminal event.');
export type StreamEnd = z.infer<typeof streamEndSchema>;

/** One line of a stream of events. */
export const streamLineSchema = z.union([ledgerEventSchema, streamEndSchema]);
export type StreamLine = z.infer<typeof streamLineSchema>;

/** Query of `GET /v1/runs/{runId}/events`; numbers come as text. */
export const eventsQuerySchema = z.strictObject({
  since: z.coerce
    .number()
    .int()
    .min(0)
    .max(Number.MAX_SAFE_INTEGER)
    .default(0)
    .describe('The last `seq` already known: 0 for all. The header `Last-Event-ID` says the same and wins.'),
  follow: z
    .stringbool({ truthy: ['true', '1'], falsy: ['false', '0'] })
    .default(false)
    .meta({
      enum: ['true', '1', 'false', '0'],
      description: 'Stay until the terminal event, instead of ending with what is there now (`false`, the default).',
    }),
  timeoutMs: z.coerce
    .number()
    .int()
    .min(1)
    .max(86_400_000)
    .optional()
    .describe('End a follow after this long, in milliseconds.'),
});
