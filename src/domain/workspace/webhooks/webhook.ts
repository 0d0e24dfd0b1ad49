import type { Selectable } from 'kysely';
import { z } from 'zod';
import type { Micros } from '../../../platform/clock/clock.ts';
import type { WebhookTable } from './tables.ts';
import { keyId } from './webhook-secret.ts';

export interface Webhook {
  readonly id: string;
  readonly url: string;
  /** Empty for all. */
  readonly types: readonly string[];
  /** False when its secret comes from the key of another machine: only there events can be signed for it. */
  readonly signable: boolean;
  readonly createdAt: Micros;
  readonly createdBy: string;
  readonly removedAt: Micros | null;
}

const typesShape = z
  .string()
  .transform((text): unknown => JSON.parse(text))
  .pipe(z.array(z.string()));

export function asWebhook(row: Selectable<WebhookTable>, key: Uint8Array): Webhook {
  return {
    id: row.id,
    url: row.url,
    types: typesShape.parse(row.types),
    signable: row.key_id === keyId(key),
    createdAt: row.created_at,
    createdBy: row.created_by,
    removedAt: row.removed_at,
  };
}
