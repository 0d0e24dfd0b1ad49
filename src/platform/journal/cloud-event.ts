import type { Selectable } from 'kysely';
import { z } from 'zod';
import type { CloudEvent } from '../../contract/cloud-event.ts';
import { jsonValueSchema } from '../../contract/json-value.ts';
import { canonicalJson } from '../canonical-json/canonical-json.ts';
import { formatTime } from '../clock/clock.ts';
import type { OutboxTable } from './tables.ts';

export type OutboxEvent = Pick<
  Selectable<OutboxTable>,
  'aggregate' | 'aggregate_seq' | 'type' | 'payload' | 'at' | 'traceparent'
>;

/** The id of an event: `<aggregate>-<seq>`. */
export function eventId({ aggregate, aggregate_seq }: Pick<OutboxEvent, 'aggregate' | 'aggregate_seq'>): string {
  return `${aggregate}-${aggregate_seq}`;
}

const eventIdShape = /^(.{1,256})-([1-9]\d{0,15})$/;

/** The parts of an event's id; null when it is none. */
export function parseEventId(id: string): Pick<OutboxEvent, 'aggregate' | 'aggregate_seq'> | null {
  const [, aggregate, seq] = eventIdShape.exec(id) ?? [];
  return aggregate === undefined || seq === undefined ? null : { aggregate, aggregate_seq: Number(seq) };
}

/**
 * An event of the outbox in the form in which it leaves.
 * @param source whose events these are: `urn:waybill:<workspace>`
 */
export function cloudEvent(row: OutboxEvent, source: string): CloudEvent {
  return {
    specversion: '1.0',
    id: eventId(row),
    source,
    type: row.type,
    subject: row.aggregate,
    time: formatTime(row.at),
    datacontenttype: 'application/json',
    sequence: String(row.aggregate_seq).padStart(16, '0'),
    ...(row.traceparent === null ? {} : { traceparent: row.traceparent }),
    data: z
      .string()
      .transform((text): unknown => JSON.parse(text))
      .pipe(jsonValueSchema)
      .parse(row.payload),
  };
}

/** The bytes of an event, the same at every try. */
export function cloudEventText(row: OutboxEvent, source: string): string {
  return canonicalJson(cloudEvent(row, source));
}
