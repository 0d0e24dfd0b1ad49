import { z } from 'zod';
import { outgoingEventTypes } from '../cloud-event.ts';
import { idShapes } from '../ids.ts';
import { cursorParameter, limitParameter, nextCursor } from './packages.ts';
import { detailed, route } from './route.ts';

const time = z.iso.datetime();
const webhookId = z.string().regex(idShapes.webhook, 'must be the id of a webhook');
/** A type nothing ever has would never be told, and nobody would learn that it was a slip of the pen. */
const eventType = z.enum(outgoingEventTypes, { error: `must be one of ${outgoingEventTypes.join(', ')}` });

export const newWebhookSchema = z
  .strictObject({
    url: z
      .string()
      .min(1)
      .max(2_048)
      .describe('https or http. Addresses in private networks are refused unless the workspace allows them.'),
    types: z.array(eventType).max(100).default([]).describe('Types of events it is sent; all when there are none.'),
  })
  .describe('A webhook to be made.');

const deliveryCountsSchema = z
  .strictObject({ pending: z.int().min(0), delivered: z.int().min(0), dead: z.int().min(0) })
  .describe('How many events are still to be sent, were taken, or were given up.');
const webhookShape = {
  id: webhookId,
  url: z.string(),
  types: z.array(z.string()),
  signable: z
    .boolean()
    .describe('False when its secret comes from the key of another machine: only a daemon there sends to it.'),
  createdAt: time,
  createdBy: z.string(),
};

export const webhookSchema = z
  .strictObject({ ...webhookShape, deliveries: deliveryCountsSchema })
  .describe('Who is told of what leaves the workspace; without its secret.');
export type WebhookEntry = z.infer<typeof webhookSchema>;

export const madeWebhookSchema = z
  .strictObject({ ...webhookShape, secret: z.string().regex(/^whsec_[A-Za-z0-9+/]+=*$/) })
  .describe('The one answer that holds the secret, in the form of Standard Webhooks.');

export const removedWebhookSchema = z
  .strictObject({ ...webhookShape, removedAt: time })
  .describe('A webhook that is gone.');

export const webhookListSchema = z
  .strictObject({ webhooks: z.array(webhookSchema) })
  .describe('All webhooks, oldest first.');

export const deliveryStateSchema = z
  .enum(['pending', 'delivered', 'dead'])
  .describe('`dead`: tried as often as the workspace allows, or the receiver said it is gone.');

export const deliverySchema = z
  .strictObject({
    id: z.string().describe('The id of the event, the same at every try.'),
    webhook: webhookId,
    type: z.string(),
    subject: z.string(),
    state: deliveryStateSchema,
    attempts: z.int().min(0),
    nextTryAt: time.nullable().describe('Null when there is none.'),
    lastTryAt: time.nullable(),
    lastStatus: z.int().nullable().describe('The HTTP status of the last answer.'),
    lastError: z.string().nullable().describe('Why there was no answer.'),
    deliveredAt: time.nullable(),
  })
  .describe('One event on its way to one webhook.');
export type DeliveryEntry = z.infer<typeof deliverySchema>;

export const listDeliveriesQuery = z.strictObject({
  state: deliveryStateSchema.optional(),
  limit: limitParameter,
  cursor: cursorParameter,
});
export const deliveryListSchema = z
  .strictObject({ deliveries: z.array(deliverySchema), nextCursor })
  .describe('Deliveries of a webhook, newest event first.');

const webhookParams = z.strictObject({ webhookId });
const deliveryParams = z.strictObject({
  webhookId,
  deliveryId: z.string().min(3).max(300).describe('The id of the event.'),
});

export const webhookRoutes = {
  make: route('admin', 'webhook_refused', 'webhook_exists')
    .route({
      method: 'POST',
      path: '/v1/webhooks',
      operationId: 'makeWebhook',
      tags: ['Webhooks'],
      summary: 'Make a webhook; its secret is shown this once',
      successStatus: 201,
      ...detailed,
    })
    .input(z.object({ body: newWebhookSchema }))
    .output(madeWebhookSchema),
  list: route('admin')
    .route({
      method: 'GET',
      path: '/v1/webhooks',
      operationId: 'listWebhooks',
      tags: ['Webhooks'],
      summary: 'List webhooks, without their secrets',
    })
    .output(webhookListSchema),
  remove: route('admin', 'webhook_not_found')
    .route({
      method: 'DELETE',
      path: '/v1/webhooks/{webhookId}',
      operationId: 'removeWebhook',
      tags: ['Webhooks'],
      summary: 'Remove a webhook; what waits for it is given up',
      ...detailed,
    })
    .input(z.object({ params: webhookParams }))
    .output(removedWebhookSchema),
  deliveries: route('admin', 'webhook_not_found')
    .route({
      method: 'GET',
      path: '/v1/webhooks/{webhookId}/deliveries',
      operationId: 'listDeliveries',
      tags: ['Webhooks'],
      summary: 'List what was sent to a webhook, and what waits or was given up',
      ...detailed,
    })
    .input(z.object({ params: webhookParams, query: listDeliveriesQuery.prefault({}) }))
    .output(deliveryListSchema),
  redeliver: route('admin', 'webhook_not_found', 'delivery_not_found')
    .route({
      method: 'POST',
      path: '/v1/webhooks/{webhookId}/deliveries/{deliveryId}/redeliver',
      operationId: 'redeliver',
      tags: ['Webhooks'],
      summary: 'Send an event to a webhook once more',
      ...detailed,
    })
    .input(z.object({ params: deliveryParams }))
    .output(deliverySchema),
};
