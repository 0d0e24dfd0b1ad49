import { deliveryView, listedWebhookView, removedWebhookView, webhookView } from '../../../views/webhooks.ts';
import type { HttpParts } from '../http-parts.ts';
import { api } from '../request-context.ts';

export function webhookHandlers({ webhooks }: Pick<HttpParts, 'webhooks'>) {
  return {
    make: api.webhooks.make.handler(async ({ input: { body }, context }) => {
      const { makeWebhook } = await import('../../../domain/workspace/webhooks/make-webhook.ts');
      const made = await makeWebhook(webhooks, body, context.caller.actor);
      return { ...webhookView(made), secret: made.secret };
    }),
    list: api.webhooks.list.handler(async () => {
      const { listWebhooks } = await import('../../../domain/workspace/webhooks/list-webhooks.ts');
      return { webhooks: (await listWebhooks(webhooks)).map(listedWebhookView) };
    }),
    remove: api.webhooks.remove.handler(async ({ input: { params }, context }) => {
      const { removeWebhook } = await import('../../../domain/workspace/webhooks/remove-webhook.ts');
      return removedWebhookView(await removeWebhook(webhooks, params.webhookId, context.caller.actor));
    }),
    deliveries: api.webhooks.deliveries.handler(async ({ input: { params, query } }) => {
      const { listDeliveries } = await import('../../../domain/workspace/webhooks/list-deliveries.ts');
      const { state = null, limit, cursor = null } = query;
      const page = await listDeliveries(webhooks, params.webhookId, { state, limit, cursor });
      return { deliveries: page.deliveries.map(deliveryView), nextCursor: page.nextCursor };
    }),
    redeliver: api.webhooks.redeliver.handler(async ({ input: { params }, context }) => {
      const { redeliver } = await import('../../../domain/workspace/webhooks/redeliver.ts');
      return deliveryView(await redeliver(webhooks, params.webhookId, params.deliveryId, context.caller.actor));
    }),
  };
}
