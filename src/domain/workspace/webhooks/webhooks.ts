import type { Configuration } from '../../../contract/configuration.ts';
import type { Clock } from '../../../platform/clock/clock.ts';
import type { Store } from '../../../platform/store/store.ts';
import type { WebhookPort } from '../ports.ts';
import type {} from './tables.ts';

/** All that webhooks need; main builds it, tests build their own. */
export interface Webhooks {
  readonly store: Store;
  readonly clock: Clock;
  readonly settings: Configuration['webhooks'];
  /** The secret key of the workspace: the secret of each webhook is derived from it. */
  readonly key: Uint8Array;
  /** Whose events these are: `urn:waybill:<workspace>`. */
  readonly source: string;
  readonly port: WebhookPort;
}
