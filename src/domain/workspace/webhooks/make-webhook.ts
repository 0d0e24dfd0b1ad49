import { WaybillError } from '../../../contract/errors.ts';
import { canonicalJson } from '../../../platform/canonical-json/canonical-json.ts';
import { makeId } from '../../../platform/ids/make-id.ts';
import { auditStatement } from '../../../platform/journal/audit.ts';
import { commit } from '../../../platform/journal/commit.ts';
import { handOver } from './hand-over.ts';
import { asWebhook, type Webhook } from './webhook.ts';
import { keyId, webhookSecret } from './webhook-secret.ts';
import type { Webhooks } from './webhooks.ts';

export interface MadeWebhook extends Webhook {
  /** Shown this once: it is not stored. */
  readonly secret: string;
}

/**
 * Makes a webhook: from now on it is sent each event of its types, none from before.
 * @throws WaybillError `webhook_refused` for an address that may not be told, `webhook_exists` when it is told already
 */
export async function makeWebhook(
  webhooks: Webhooks,
  wanted: { readonly url: string; readonly types: readonly string[] },
  by: string,
): Promise<MadeWebhook> {
  try {
    return await make(webhooks, wanted, by);
  } catch (error) {
    if (error instanceof WaybillError && (error.code === 'webhook_refused' || error.code === 'webhook_exists')) {
      await recordRefusal(webhooks, by, error);
    }
    throw error;
  }
}

/** Whose address it was is not said: an address that is refused may be anything, a password included. */
async function recordRefusal({ store, clock }: Webhooks, actor: string, { code, message }: WaybillError) {
  const refused = { at: clock.now(), actor, action: 'webhook.made', resource: 'webhook', outcome: 'refused' } as const;
  await store.submit({ statements: [auditStatement([{ ...refused, reason: `${code}: ${message}` }])] });
}

async function make(
  webhooks: Webhooks,
  wanted: { readonly url: string; readonly types: readonly string[] },
  by: string,
): Promise<MadeWebhook> {
  const { store, clock, key, port } = webhooks;
  const url = await port.check(wanted.url);
  // What waited until now is for those that were there.
  await handOver(webhooks);
  const types = [...new Set(wanted.types)].sort();
  const id = makeId('webhook');
  const row = {
    id,
    url,
    types: canonicalJson(types),
    key_id: keyId(key),
    created_at: clock.now(),
    created_by: by,
    removed_at: null,
    removed_by: null,
  };
  await store.locked({ table: 'outbox_handover', key: { name: 'webhooks' } }, async (tx) => {
    const same = tx.db.selectFrom('webhook').select('id').where('url', '=', url).where('removed_at', 'is', null);
    const known = await same.executeTakeFirst();
    if (known !== undefined) {
      throw new WaybillError('webhook_exists', `${known.id} is a webhook of this address already`, {
        hint: 'Remove it first to be told of other types of events.',
        details: { webhook: known.id },
      });
    }
    await commit(tx, {
      change: async () => void (await tx.db.insertInto('webhook').values(row).execute()),
      audit: [
        {
          at: row.created_at,
          actor: by,
          action: 'webhook.made',
          resource: id,
          outcome: 'succeeded',
          details: { host: new URL(url).host, types },
        },
      ],
    });
  });
  return { ...asWebhook(row, key), secret: webhookSecret(key, id) };
}
