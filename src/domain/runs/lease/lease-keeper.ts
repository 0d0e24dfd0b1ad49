import { WaybillError } from '../../../contract/errors.ts';
import type { RunId } from '../../../contract/ids.ts';
import type { Clock } from '../../../platform/clock/clock.ts';
import type { Store } from '../../../platform/store/store.ts';
import * as statements from '../ledger/statements.ts';
import { leaseMicros } from './lease.ts';

interface Kept {
  readonly epoch: number;
  readonly lost: (reason: unknown) => void;
}

/** Renews the leases of all runs this process holds, with one timer; tells a run when its lease is gone. */
export class LeaseKeeper {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #kept = new Map<RunId, Kept>();
  #timer: NodeJS.Timeout | undefined;

  constructor(store: Store, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  keep(run: RunId, epoch: number, lost: (reason: unknown) => void): void {
    this.#kept.set(run, { epoch, lost });
    this.#timer ??= setInterval(() => this.#renewAll(), leaseMicros / 3000).unref();
  }

  release(run: RunId): void {
    this.#kept.delete(run);
    if (this.#kept.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #renewAll(): void {
    for (const [run, kept] of this.#kept) {
      this.#renew(run, kept).catch((error: unknown) => {
        // A busy or failing store is not a lost lease: the next append is fenced anyway, and the timer comes again.
        if (error instanceof WaybillError && error.code === 'lease_lost') {
          this.release(run);
          kept.lost(error);
        }
      });
    }
  }

  #renew(run: RunId, kept: Kept): Promise<void> {
    return this.#store.submit({
      statements: [
        {
          sql: statements.renewLease,
          rows: [[this.#clock.now() + leaseMicros, run, kept.epoch]],
          expectChanges: 1,
          refuse: () =>
            new WaybillError('lease_lost', `the lease on run ${run} was lost: another process took it over`, {
              hint: `Look who holds it now: waybill show ${run}`,
            }),
        },
      ],
    });
  }
}
