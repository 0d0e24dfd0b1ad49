import { WaybillError } from '../../../contract/errors.ts';
import type { RunId } from '../../../contract/ids.ts';
import type { Clock, Micros } from '../../../platform/clock/clock.ts';
import type { Store } from '../../../platform/store/store.ts';
import * as statements from '../ledger/statements.ts';
import { leaseMicros } from './lease.ts';

interface Kept {
  readonly epoch: number;
  /** Until when others believe that we hold it. */
  expiresAt: Micros;
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
    this.#kept.set(run, { epoch, lost, expiresAt: this.#clock.now() + leaseMicros });
    this.#timer ??= setInterval(() => this.#renewAll(), leaseMicros / 3000).unref();
  }

  /** True while this process works on the run. */
  keeps(run: RunId): boolean {
    return this.#kept.has(run);
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
        const lost = error instanceof WaybillError && error.code === 'lease_lost';
        // A busy or failing store is not a lost lease yet: the timer comes again. Once others may have taken it, what
        // was begun here must end here too.
        if (!lost && this.#clock.now() < kept.expiresAt) return;
        if (this.#kept.get(run) !== kept) return;
        this.release(run);
        kept.lost(lost ? error : notRenewed(run, error));
      });
    }
  }

  async #renew(run: RunId, kept: Kept): Promise<void> {
    const expiresAt = this.#clock.now() + leaseMicros;
    await this.#store.submit({
      statements: [
        {
          sql: statements.renewLease,
          rows: [[expiresAt, run, kept.epoch]],
          expectChanges: 1,
          refuse: () =>
            new WaybillError('lease_lost', `the lease on run ${run} was lost: another process took it over`, {
              hint: `Look who holds it now: waybill show ${run}`,
            }),
        },
      ],
    });
    kept.expiresAt = expiresAt;
  }
}

function notRenewed(run: RunId, cause: unknown): WaybillError {
  return new WaybillError('lease_lost', `the lease on run ${run} ran out: the store could not be reached to renew it`, {
    hint: `Look who holds it now: waybill show ${run}`,
    cause,
  });
}
