import { createHash, createHmac } from 'node:crypto';

/**
 * The secret of a webhook, as its receiver gets it: `whsec_<base64 of 32 bytes>`. It is derived from the key of the
 * workspace and the id of the webhook, so no store holds it.
 */
export function webhookSecret(key: Uint8Array, webhookId: string): string {
  return `whsec_${secretBytes(key, webhookId).toString('base64')}`;
}

/** Which key secrets come from, without telling anything of it. */
export function keyId(key: Uint8Array): string {
  const known = createHmac('sha256', key).update('waybill.webhook.key.v1').digest();
  return createHash('sha256').update(known).digest('hex').slice(0, 32);
}

/**
 * The headers of one try, after Standard Webhooks (https://github.com/standard-webhooks/standard-webhooks): the
 * signature is HMAC-SHA256 over `<id>.<timestamp>.<body>`.
 * @param seconds when it is sent, since 1970
 */
export function signedHeaders(
  key: Uint8Array,
  webhookId: string,
  { id, seconds, body }: { readonly id: string; readonly seconds: number; readonly body: string },
): Readonly<Record<string, string>> {
  const signature = createHmac('sha256', secretBytes(key, webhookId)).update(`${id}.${seconds}.${body}`);
  return {
    'webhook-id': id,
    'webhook-timestamp': String(seconds),
    'webhook-signature': `v1,${signature.digest('base64')}`,
  };
}

function secretBytes(key: Uint8Array, webhookId: string): Buffer {
  return createHmac('sha256', key).update(`waybill.webhook.v1\n${webhookId}`).digest();
}
