import type { DeliveryState } from './states.ts';

/** Rows of webhooks. Times are microseconds UTC. */
export interface WebhookTable {
  id: string;
  url: string;
  /** Types of events as canonical JSON; an empty list is all. */
  types: string;
  /** Which workspace key its secret comes from. */
  key_id: string;
  created_at: number;
  created_by: string;
  removed_at: number | null;
  removed_by: string | null;
}

export interface OutboxDeliveryTable {
  webhook: string;
  aggregate: string;
  aggregate_seq: number;
  outbox: number;
  type: string;
  state: DeliveryState;
  attempts: number;
  /** Raised with each claim. */
  claim: number;
  due_at: number;
  claimed_until: number | null;
  last_at: number | null;
  last_status: number | null;
  last_error: string | null;
  made_at: number;
  delivered_at: number | null;
}

/** One row, held by whoever decides which webhooks an event is for. */
export interface OutboxHandoverTable {
  name: 'webhooks';
}

declare module '../../../platform/store/store.ts' {
  interface Database {
    webhook: WebhookTable;
    outbox_delivery: OutboxDeliveryTable;
    outbox_handover: OutboxHandoverTable;
  }
}
