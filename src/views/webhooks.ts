import type { Selectable } from 'kysely';
import type { DeliveryEntry, WebhookEntry } from '../contract/api/webhooks.ts';
import type { ListedWebhook } from '../domain/workspace/webhooks/list-webhooks.ts';
import type { OutboxDeliveryTable } from '../domain/workspace/webhooks/tables.ts';
import type { Webhook } from '../domain/workspace/webhooks/webhook.ts';
import { formatTime, type Micros } from '../platform/clock/clock.ts';
import { eventId } from '../platform/journal/cloud-event.ts';

/** A webhook as every surface shows it; never its secret. */
export function webhookView({ id, url, types, signable, createdAt, createdBy }: Webhook) {
  return { id, url, types: [...types], signable, createdAt: formatTime(createdAt), createdBy };
}

export function listedWebhookView(webhook: ListedWebhook): WebhookEntry {
  return { ...webhookView(webhook), deliveries: webhook.deliveries };
}

export function removedWebhookView(webhook: Webhook) {
  return { ...webhookView(webhook), removedAt: formatTime(webhook.removedAt ?? 0) };
}

export function deliveryView(row: Selectable<OutboxDeliveryTable>): DeliveryEntry {
  return {
    id: eventId(row),
    webhook: row.webhook,
    type: row.type,
    subject: row.aggregate,
    state: row.state,
    attempts: row.attempts,
    nextTryAt: row.state === 'pending' ? formatTime(row.due_at) : null,
    lastTryAt: timeOrNull(row.last_at),
    lastStatus: row.last_status,
    lastError: row.last_error,
    deliveredAt: timeOrNull(row.delivered_at),
  };
}

function timeOrNull(time: Micros | null): string | null {
  return time === null ? null : formatTime(time);
}
