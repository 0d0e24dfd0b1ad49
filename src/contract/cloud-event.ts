import { z } from 'zod';
import { jsonValueSchema } from './json-value.ts';

/** Of the body that a webhook is sent: CloudEvents 1.0, structured mode, https://github.com/cloudevents/spec. */
export const cloudEventMediaType = 'application/cloudevents+json';

/** Every type of event that leaves the system; new ones come with time. */
export const outgoingEventTypes = [
  'dev.waybill.run.succeeded',
  'dev.waybill.run.failed',
  'dev.waybill.run.canceled',
  'dev.waybill.version.published',
  'dev.waybill.version.tombstoned',
] as const;

/**
 * An event as it leaves: what was written into the outbox, in the form of CloudEvents 1.0. `sequence` and `traceparent` are
 * registered extensions of it.
 */
export const cloudEventSchema = z.strictObject({
  specversion: z.literal('1.0'),
  id: z
    .string()
    .min(1)
    .describe('`<aggregate>-<seq>`: the same at every try and redelivery, so that a receiver can tell what it has.'),
  source: z.string().min(1).describe('`urn:waybill:<workspace>`.'),
  type: z.string().min(1).describe('As `dev.waybill.version.published`.'),
  subject: z.string().min(1).describe('What it is about: events of one subject are sent in order.'),
  time: z.iso.datetime(),
  datacontenttype: z.literal('application/json'),
  sequence: z
    .string()
    .regex(/^\d{16}$/)
    .describe('Its place among the events of the subject; sorts as text.'),
  traceparent: z.string().optional().describe('W3C trace context of what caused it.'),
  data: jsonValueSchema,
});
export type CloudEvent = z.infer<typeof cloudEventSchema>;
