import type { Clock, Micros } from '../../../platform/clock/clock.ts';
import type { AuditRecord } from '../../../platform/journal/audit.ts';
import { commit } from '../../../platform/journal/commit.ts';
import type { Store } from '../../../platform/store/store.ts';

const dayInMicros = 86_400_000_000;
/** A pass that took longer is taken for dead, and begun again by whoever looks first. */
const patience = 3_600_000_000;

/** A pass that is ours to do: nobody else begins one until it is ended, given back, or an hour has gone by. */
export interface ClaimedPass {
  readonly workspace: string;
  /** The time it was due, which is its name. */
  readonly dueAt: Micros;
}

/**
 * The daily pass of a workspace, on a grid of 24 hours that begins with the first one. It is kept in the store: a
 * daemon that is restarted each hour cleans once a day, and of several daemons one does.
 */
export class PassSchedule {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #workspace: string;

  constructor(store: Store, clock: Clock, workspace: string) {
    this.#store = store;
    this.#clock = clock;
    this.#workspace = workspace;
  }

  /** When the next pass may begin; the past or now when it may at once. */
  async next(): Promise<Micros> {
    const row = await this.#store.read((tx) =>
      tx.db.selectFrom('retention_pass').selectAll().where('workspace', '=', this.#workspace).executeTakeFirst(),
    );
    return row === undefined ? this.#clock.now() : beginsAt(row, this.#clock.now());
  }

  /** The pass that is due, or null when none is or another does it. */
  async claim(): Promise<ClaimedPass | null> {
    const workspace = this.#workspace;
    const now = this.#clock.now();
    const retry_at = now + patience;
    return this.#store.write(async (tx) => {
      const row = await tx.db
        .selectFrom('retention_pass')
        .selectAll()
        .where('workspace', '=', workspace)
        .executeTakeFirst();
      if (row === undefined) {
        const first = tx.db.insertInto('retention_pass').values({ workspace, due_at: now, retry_at });
        const made = await first.onConflict((on) => on.column('workspace').doNothing()).executeTakeFirst();
        return made.numInsertedOrUpdatedRows === 1n ? { workspace, dueAt: now } : null;
      }
      if (beginsAt(row, now) > now) return null;
      // Only from the state that was read: of two that claim at once one changes it first.
      const taken = await tx.db
        .updateTable('retention_pass')
        .set({ retry_at })
        .where('workspace', '=', workspace)
        .where('due_at', '=', row.due_at)
        .where('retry_at', row.retry_at === null ? 'is' : '=', row.retry_at)
        .executeTakeFirst();
      return taken.numUpdatedRows === 1n ? { workspace, dueAt: row.due_at } : null;
    });
  }

  /** Records that a pass is done, and when the next one is due. */
  async end({ workspace, dueAt }: ClaimedPass, audit: AuditRecord): Promise<void> {
    const due_at = nextDue(dueAt, this.#clock.now());
    await this.#store.write((tx) =>
      commit(tx, {
        change: async () => {
          const pass = tx.db.updateTable('retention_pass').set({ due_at, retry_at: null });
          await pass.where('workspace', '=', workspace).where('due_at', '=', dueAt).execute();
        },
        audit: [audit],
      }),
    );
  }

  /** Leaves a pass that was not done to whoever looks next. */
  async giveBack({ workspace, dueAt }: ClaimedPass): Promise<void> {
    await this.#store.write(async (tx) => {
      const pass = tx.db.updateTable('retention_pass').set({ retry_at: null });
      await pass.where('workspace', '=', workspace).where('due_at', '=', dueAt).execute();
    });
  }
}

/** A time further ahead than we ever set one is of a clock that was wrong then: the pass may begin. */
function beginsAt({ due_at, retry_at }: { due_at: Micros; retry_at: Micros | null }, now: Micros): Micros {
  const due = due_at - now > dayInMicros ? now : due_at;
  const retry = retry_at === null || retry_at - now > patience ? now : retry_at;
  return Math.max(due, retry);
}

function nextDue(dueAt: Micros, now: Micros): Micros {
  const late = now - dueAt;
  return late < 0 ? now + dayInMicros : dueAt + (Math.floor(late / dayInMicros) + 1) * dayInMicros;
}
