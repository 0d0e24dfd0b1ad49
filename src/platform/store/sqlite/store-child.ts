/**
 * A process of its own for the tests that need one: it opens a store, does what its first argument says, and
 * tells what happened, one JSON value a line. Run by `open.test.ts`.
 */
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { dirname, join } from 'node:path';
import { WaybillError } from '../../../contract/errors.ts';
import { append, conformanceMigration } from '../conformance-tables.ts';
import type { Store } from '../store.ts';
import { openSqliteStore } from './open.ts';

const [scenario = '', path = '', name = ''] = process.argv.slice(2);

function tell(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

async function open(): Promise<Store> {
  return openSqliteStore({ path, migrations: [conformanceMigration] });
}

/** Appends to `run` from `from` until `stop`, and tells each number once it is durable. */
async function appendAll(store: Store, run: string, from: number, stop: (seq: number) => boolean): Promise<void> {
  for (let seq = from; !stop(seq); seq++) {
    await store.submit(append(run, seq));
    tell({ run, seq });
  }
}

const outcome = (error: unknown): string => (error instanceof WaybillError ? error.code : String(error));

const scenarios: Readonly<Record<string, () => Promise<void>>> = {
  /** Writes in 10 lanes until it is killed. */
  forever: async () => {
    const store = await open();
    await Promise.all(Array.from({ length: 10 }, (_, lane) => appendAll(store, `${name}-${lane}`, 1, () => false)));
  },
  /** Writes 40 rows in each of 10 lanes, then closes. */
  some: async () => {
    const store = await open();
    await Promise.all(
      Array.from({ length: 10 }, (_, lane) => appendAll(store, `${name}-${lane}`, 1, (seq) => seq > 40)),
    );
    await store.close();
  },
  /** Fills the disk, meets the error, frees the disk, and goes on: in the same process, then as a new start. */
  full: async () => {
    const ballast = join(dirname(path), 'ballast');
    writeFileSync(ballast, Buffer.alloc(64 * 1024));
    const store = await open();
    let next = 1;
    const fill = appendAll(store, name, 1, (seq) => {
      next = seq;
      return seq > 100_000;
    });
    tell(await fill.then(() => 'never full', outcome));
    tell(await store.submit(append(name, next)).then(() => 'written', outcome));
    rmSync(ballast);
    await appendAll(store, name, next, (seq) => seq > next);
    await store.close();
    const again = await open();
    await appendAll(again, name, next + 1, (seq) => seq > next + 1);
    const rows = await again.read((tx) =>
      tx.db.selectFrom('conformance_entry').select('seq').where('run', '=', name).orderBy('seq').execute(),
    );
    tell({ rows: rows.map((row) => row.seq) });
    await again.close();
  },
  /** Opens, writes and closes; tells how each of these ended. */
  once: async () => {
    try {
      const store = await open();
      tell(await store.submit(append(name, 1)).then(() => 'written', outcome));
      await store.close();
    } catch (error) {
      tell(outcome(error));
    }
  },
  /** Uses all a store has, closes it, and has to end by itself. */
  end: async () => {
    const store = await open();
    const follower = store.hints.subscribe('topic');
    await store.write(async () => {});
    await store.read(async () => {});
    await follower.next(1);
    await store.close();
    tell(existsSync(path));
  },
  /** Opens and submits; tells whether Kysely was loaded for that. */
  lean: async () => {
    const loaded: string[] = [];
    registerHooks({
      load: (url, context, next) => {
        loaded.push(url);
        return next(url, context);
      },
    });
    const store = await open();
    await store.submit(append(name, 1));
    tell({ kysely: loaded.filter((url) => url.includes('kysely')).length });
    await store.read(async () => {});
    tell({ kysely: loaded.filter((url) => url.includes('kysely')).length });
    await store.close();
  },
};

await scenarios[scenario]?.();
