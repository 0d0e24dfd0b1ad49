import { cloudEventMediaType } from '../../../contract/cloud-event.ts';
import { WaybillError } from '../../../contract/errors.ts';
import { cloudEventText, eventId } from '../../../platform/journal/cloud-event.ts';
import type { WebhookAnswer } from '../ports.ts';
import { backoffMs } from './backoff.ts';
import type { ClaimedDelivery } from './claim-deliveries.ts';
import { settleDelivery } from './settle-delivery.ts';
import { signedHeaders } from './webhook-secret.ts';
import type { Webhooks } from './webhooks.ts';

/** How a try ended: `again` waits for the next one, `lost` belongs to another relay by now. */
export type Delivered =
  | { readonly outcome: 'delivered' | 'again' | 'lost' | 'given_back' }
  | { readonly outcome: 'dead'; readonly error: WaybillError };

/**
 * Makes one try and writes down what came of it. A crash in between leaves it claimed until its time is over; then it is
 * made again: at least once, never twice at a time.
 * @param actor whose doing it is in the audit when the delivery is dead
 * @param signal ends the try; it is given back and does not count
 */
export async function deliver(
  webhooks: Webhooks,
  claimed: ClaimedDelivery,
  actor: string,
  signal?: AbortSignal,
): Promise<Delivered> {
  const { clock, settings, key, source, port } = webhooks;
  const id = eventId(claimed);
  const body = cloudEventText(claimed, source);
  const seconds = Math.floor(clock.now() / 1_000_000);
  const answer = await port.send({
    url: claimed.url,
    body,
    headers: {
      'content-type': cloudEventMediaType,
      'user-agent': 'waybill',
      ...(claimed.traceparent === null ? {} : { traceparent: claimed.traceparent }),
      ...signedHeaders(key, claimed.webhook, { id, seconds, body }),
    },
    timeoutMs: settings.timeoutMs,
    ...(signal === undefined ? {} : { signal }),
  });
  const now = clock.now();
  const said = { last_at: now, last_status: null, last_error: null, ...facts(answer) };
  if (answer.how === 'answered' && answer.status >= 200 && answer.status < 300) {
    const kept = await settleDelivery(webhooks, claimed, {
      ...said,
      state: 'delivered',
      delivered_at: now,
      attempts: claimed.attempts + 1,
    });
    return { outcome: kept ? 'delivered' : 'lost' };
  }
  if (answer.how === 'failed' && signal?.aborted === true) {
    const kept = await settleDelivery(webhooks, claimed, { due_at: now });
    return { outcome: kept ? 'given_back' : 'lost' };
  }
  const attempts = claimed.attempts + 1;
  const gone = answer.how === 'answered' && answer.status === 410;
  if (!gone && attempts < settings.maxAttempts) {
    const wait = backoffMs(settings, attempts, answer.how === 'answered' ? answer.retryAfterMs : null);
    const kept = await settleDelivery(webhooks, claimed, { ...said, attempts, due_at: now + wait * 1_000 });
    return { outcome: kept ? 'again' : 'lost' };
  }
  const why = gone ? 'the receiver says it is gone (410)' : words(answer);
  const details = { webhook: claimed.webhook, event: id, type: claimed.type, attempts };
  const kept = await settleDelivery(webhooks, claimed, { ...said, attempts, state: 'dead' }, [
    { at: now, actor, action: 'delivery.dead', resource: claimed.webhook, outcome: 'failed', reason: why, details },
  ]);
  if (!kept) return { outcome: 'lost' };
  const error = new WaybillError('delivery_failed', `an event was not delivered to ${claimed.webhook}: ${why}`, {
    hint: `Send it again when the receiver is well: waybill webhooks redeliver ${claimed.webhook} ${id}`,
    details,
  });
  return { outcome: 'dead', error };
}

function facts(answer: WebhookAnswer) {
  return answer.how === 'answered' ? { last_status: answer.status } : { last_error: answer.reason };
}

function words(answer: WebhookAnswer): string {
  return answer.how === 'answered' ? `status ${answer.status}` : answer.reason;
}
