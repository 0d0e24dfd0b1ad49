import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { refusal } from '../conformance/place.ts';
import { append, conformanceMigration } from '../conformance/tables.ts';
import type { Migration } from '../migrations.ts';
import type { Store } from '../store.ts';
import { openSqliteStore } from './open.ts';

const full = process.env.WAYBILL_TEST_FULL === '1';
const appended = z.object({ run: z.string(), seq: z.number() });
/** Root may write everything; in a user namespace it is somebody else. */
const asUser = process.getuid?.() === 0 ? ['unshare', '--user', '--map-user=1000', '--map-group=1000'] : [];

/** Runs a command with a disk of 2 MB of its own at the folder that follows; where that is not allowed, `max_page_count` must do. */
const smallDisk = [
  'unshare',
  '--user',
  '--map-root-user',
  '--mount',
  'sh',
  '-c',
  'mount -t tmpfs -o size=2m tmpfs "$0" && exec "$@"',
];
const mounts = spawnSync('unshare', [...smallDisk.slice(1), tmpdir(), 'true']).status === 0;

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-sqlite-'));
  path = join(folder, 'waybill.db');
});
afterEach(async () => {
  await chmod(folder, 0o700);
  await rm(folder, { recursive: true });
});

interface Child {
  readonly process: ChildProcess;
  readonly told: unknown[];
  readonly exit: Promise<{ readonly code: number | null; readonly signal: string | null }>;
}

function child(
  scenario: string,
  name: string,
  options: { prefix?: readonly string[]; onLine?: (child: Child) => void } = {},
): Child {
  const [command = '', ...args] = [
    ...(options.prefix ?? []),
    process.execPath,
    join(import.meta.dirname, 'fixtures', 'store-process.ts'),
    scenario,
    path,
    name,
  ];
  const started = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const told: unknown[] = [];
  const exit = once(started, 'close').then(([code, signal]) => ({ code, signal }));
  const made = { process: started, told, exit };
  createInterface({ input: started.stdout }).on('line', (line) => {
    told.push(JSON.parse(line));
    options.onLine?.(made);
  });
  return made;
}

async function withStore<T>(
  use: (store: Store) => Promise<T>,
  migrations: readonly Migration[] = [conformanceMigration],
): Promise<T> {
  const store = await openSqliteStore({ path, migrations });
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

/** The numbers of each run, in the order in which they were written. */
async function stored(): Promise<Map<string, number[]>> {
  const rows = await withStore((store) =>
    store.read((tx) => tx.db.selectFrom('conformance_entry').select(['run', 'seq']).orderBy('id').execute()),
  );
  const runs = new Map<string, number[]>();
  for (const { run, seq } of rows) runs.set(run, [...(runs.get(run) ?? []), seq]);
  return runs;
}

const upTo = (n: number): number[] => Array.from({ length: n }, (_, index) => index + 1);

describe('several processes, and their deaths', () => {
  test('invariant 2: after SIGKILL everything that was acknowledged is there, and each lane has no gap', async () => {
    const rounds = full ? 40 : 4;
    for (let round = 0; round < rounds; round++) {
      const enough = 50 + Math.floor(Math.random() * 1500);
      const writer = child('forever', `round${round}`, {
        onLine: ({ told, process }) => told.length >= enough && process.kill('SIGKILL'),
      });
      expect((await writer.exit).signal).toBe('SIGKILL');
      const acknowledged = writer.told.map((line) => appended.parse(line));
      expect(acknowledged.length).toBeGreaterThanOrEqual(enough);
      const runs = await stored();
      for (const { run, seq } of acknowledged) expect(runs.get(run)).toContain(seq);
      for (const seqs of runs.values()) expect(seqs).toEqual(upTo(seqs.length));
    }
  });

  test('two processes write at once and neither is refused', async () => {
    const writers = [child('some', 'a'), child('some', 'b')];
    for (const writer of writers) expect(await writer.exit).toEqual({ code: 0, signal: null });
    const runs = await stored();
    expect(runs.size).toBe(20);
    for (const seqs of runs.values()) expect(seqs).toEqual(upTo(40));
  });

  test('a writer that another process keeps out is told store_busy in bounded time, and then works', async () => {
    const store = await openSqliteStore({ path, migrations: [conformanceMigration], lockWaitMs: 80 });
    const holder = new DatabaseSync(path);
    holder.exec('BEGIN IMMEDIATE');
    expect(await refusal(store.submit(append('a', 1)))).toBe('store_busy');
    expect(await refusal(store.write(async () => {}))).toBe('store_busy');
    expect(await refusal(openSqliteStore({ path, migrations: [conformanceMigration, later], lockWaitMs: 80 }))).toBe(
      'store_busy',
    );
    holder.close();
    await store.submit(append('a', 1));
    await store.close();
    expect((await stored()).get('a')).toEqual([1]);
  });

  test('a follower is told of another process, and not of commits of its own', async () => {
    const store = await openSqliteStore({ path, migrations: [conformanceMigration] });
    using follower = store.hints.subscribe('anything');
    await store.submit(append('own', 1));
    expect(await follower.next(400)).toBe(false);
    const other = child('some', 'a');
    expect(await follower.next(8_000)).toBe(true);
    await other.exit;
    await store.close();
  });

  test('nothing keeps a process alive after close', async () => {
    const ended = child('end', 'x');
    expect(await ended.exit).toEqual({ code: 0, signal: null });
    expect(ended.told).toEqual([true]);
  });

  test('opening, submitting and selecting loads no Kysely; the first scope does', async () => {
    const lean = child('lean', 'x');
    await lean.exit;
    const [selected, before, after] = z
      .array(z.object({ kysely: z.number().optional(), rows: z.number().optional() }))
      .parse(lean.told);
    expect(selected?.rows).toBe(1);
    expect(before?.kysely).toBe(0);
    expect(after?.kysely).toBeGreaterThan(0);
  });
});

const later: Migration = {
  feature: 'later',
  number: 1,
  name: 'later',
  sqlite: 'CREATE TABLE later (n INTEGER) STRICT',
  postgres: '',
};

describe('bad luck', () => {
  test('R24 a database that may grow no further: store_full, nothing lost, the next start works', async () => {
    const limit: Migration = {
      feature: 'limit',
      number: 1,
      name: 'limit',
      sqlite: 'PRAGMA max_page_count = 40',
      postgres: '',
    };
    const written = await withStore(
      async (store) => {
        for (let seq = 1; ; seq++) {
          const result = await refusal(
            store.submit(append('a', ...Array.from({ length: 50 }, (_, index) => seq * 100 + index))),
          );
          if (result.startsWith('resolved')) continue;
          expect(result).toBe('store_full');
          // Beside one that does not fit, one that does must not suffer.
          const beside = await Promise.all([
            refusal(store.write(async () => {})),
            refusal(store.submit(append('b', ...upTo(2000)))),
          ]);
          expect(beside.at(-1)).toBe('store_full');
          return seq - 1;
        }
      },
      [conformanceMigration, limit],
    );
    expect(written).toBeGreaterThan(0);
    await withStore((store) => store.submit(append('a', 1)), [conformanceMigration, limit]);
    const rows = new DatabaseSync(path).prepare('SELECT count(*) AS n FROM conformance_entry').get();
    expect(rows?.n).toBe(written * 50 + 1);
  });

  test.runIf(mounts)('R24 a full disk: store_full, nothing lost, and it goes on once there is room', async () => {
    const filler = child('full', 'a', { prefix: [...smallDisk, folder] });
    expect((await filler.exit).code).toBe(0);
    const numbers = filler.told.flatMap((line) => appended.safeParse(line).data?.seq ?? []);
    const [first, again] = filler.told.filter((line) => typeof line === 'string');
    expect([first, again]).toEqual(['store_full', 'store_full']);
    expect(filler.told.at(-1)).toEqual({ rows: numbers });
    expect(numbers).toEqual(upTo(numbers.length));
    expect(numbers.length).toBeGreaterThan(50);
  });

  test('R24 a data folder or file that cannot be written: store_read_only, nothing lost, the next start works', async () => {
    await withStore((store) => store.submit(append('a', 1)));
    await chmod(folder, 0o500);
    const inFolder = child('once', 'b', { prefix: asUser });
    expect((await inFolder.exit).code).toBe(0);
    await chmod(folder, 0o700);
    await chmod(path, 0o400);
    const inFile = child('once', 'c', { prefix: asUser });
    expect((await inFile.exit).code).toBe(0);
    await chmod(path, 0o600);
    expect([inFolder.told, inFile.told]).toEqual([['store_read_only'], ['store_read_only']]);
    expect(await stored()).toEqual(new Map([['a', [1]]]));
  });

  test('R24 a folder that does not exist, or in which nothing can be made: a clear error', async () => {
    expect(await refusal(openSqliteStore({ path: join(folder, 'nowhere', 'waybill.db'), migrations: [] }))).toBe(
      'store_unavailable',
    );
    await chmod(folder, 0o500);
    const inFolder = child('once', 'b', { prefix: asUser });
    await inFolder.exit;
    expect(inFolder.told).toEqual(['store_read_only']);
  });

  test('R24 a file that is no database: store_corrupt, the file is left as it is', async () => {
    const garbage = Buffer.alloc(8192, 'no database ');
    await writeFile(path, garbage);
    expect(await refusal(openSqliteStore({ path, migrations: [conformanceMigration] }))).toBe('store_corrupt');
    expect((await readFile(path)).equals(garbage)).toBe(true);
    await rm(path);
    await withStore((store) => store.submit(append('a', 1)));
    expect(await stored()).toEqual(new Map([['a', [1]]]));
  });

  test('R24 a damaged page: store_corrupt for reads and writes, never an empty answer', async () => {
    await withStore((store) => store.submit(append('a', ...upTo(3000))));
    const healthy = await readFile(path);
    const file = await open(path, 'r+');
    // Everything after the schema's page, so that whatever is asked meets the damage.
    await file.write(Buffer.alloc(healthy.length - 4096, 0xa5), 0, healthy.length - 4096, 4096);
    await file.close();
    const damaged = await withStore(
      async (store) => [
        await refusal(store.read((tx) => tx.db.selectFrom('conformance_entry').selectAll().execute())),
        await refusal(store.submit(append('a', 3001))),
        await refusal(store.write((tx) => tx.db.deleteFrom('conformance_entry').execute())),
      ],
      [],
    ).catch((error: unknown) => [error instanceof Error && 'code' in error ? error.code : error]);
    expect(new Set(damaged)).toEqual(new Set(['store_corrupt']));
    await writeFile(path, healthy);
    expect((await stored()).get('a')).toEqual(upTo(3000));
  });

  test('a database that is deleted, moved or replaced under a store: nothing more is said to be stored or read', async () => {
    const store = await openSqliteStore({ path, migrations: [conformanceMigration] });
    const rows = () => store.read((tx) => tx.db.selectFrom('conformance_entry').select('seq').execute());
    const uses = async () => [
      await refusal(store.submit(append('a', 9))),
      await refusal(store.write((tx) => tx.db.deleteFrom('conformance_entry').execute())),
      await refusal(rows()),
      await refusal(store.select({ sqlite: 'SELECT seq FROM conformance_entry', postgres: '' }, [])),
    ];
    await store.submit(append('a', 1));
    await rows();
    await rename(path, `${path}.away`);
    expect(await uses()).toEqual(Array(4).fill('store_unavailable'));
    await writeFile(path, '');
    expect(await uses()).toEqual(Array(4).fill('store_unavailable'));
    // Put back it is the same file, and all that was stored is there, and nothing that was refused.
    await rename(`${path}.away`, path);
    await store.submit(append('a', 2));
    expect(await rows()).toEqual([{ seq: 1 }, { seq: 2 }]);
    await rm(path);
    expect(await uses()).toEqual(Array(4).fill('store_unavailable'));
    await store.close();
  });

  test('the database and its log are for their owner only', async () => {
    const store = await openSqliteStore({ path, migrations: [conformanceMigration] });
    await store.submit(append('a', 1));
    for (const file of [path, `${path}-wal`, `${path}-shm`]) expect((await stat(file)).mode & 0o777).toBe(0o600);
    await store.close();
  });
});
