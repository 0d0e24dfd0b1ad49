import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { type TestDatabase, testDatabase } from '../../../../test/postgres/test-database.ts';
import { openPostgresStore } from '../../../platform/store/postgres/open.ts';
import { gateMigrations } from '../../gates/migrations.ts';
import { runTables } from '../../runs/testing/engine.ts';
import { registryMigrations } from '../migrations.ts';
import { arrangeDraft } from '../testing/arrange-draft.ts';
import { openTestRegistry, type TestRegistry } from '../testing/open-test-registry.ts';
import { publishVersion } from './publish-version.ts';

const databases: TestDatabase[] = [];
afterAll(() => Promise.all(databases.map((database) => database.drop())));

const fixture = fileURLToPath(new URL('./fixtures/publish-and-die.ts', import.meta.url));
const migrations = [...runTables(), ...gateMigrations(), ...registryMigrations()];

/** A registry, and where another process finds its store. */
const places: readonly (readonly [string, () => Promise<{ opened: TestRegistry; where: string }>])[] = [
  [
    'SQLite',
    async () => {
      const opened = await openTestRegistry();
      return { opened, where: opened.world.databasePath };
    },
  ],
  [
    'PostgreSQL',
    async () => {
      const database = await testDatabase();
      databases.push(database);
      const { connection } = database;
      const opened = await openTestRegistry({ openStore: () => openPostgresStore({ connection, migrations }) });
      return { opened, where: JSON.stringify(connection) };
    },
  ],
];

async function publishElsewhere(where: string, blobs: string, versionId: string, point: number) {
  const child = spawn(process.execPath, ['--no-warnings', fixture, where, blobs, versionId, String(point)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  const [code, signal] = await once(child, 'close');
  return { code, signal, said: Buffer.concat(chunks).toString('utf8') };
}

describe.each(places)('a process that dies while it publishes, on %s', (_name, open) => {
  test('G10 leaves the draft as it was, after whichever statement it dies; the next process publishes it', async () => {
    const { opened, where } = await open();
    await using _ = opened;
    const { registry } = opened;
    const blobs = join(opened.world.data, 'blobs');
    const draft = await arrangeDraft(registry);
    const state = () =>
      registry.store.read(async ({ db }) => ({
        versions: await db.selectFrom('version').selectAll().execute(),
        packages: await db.selectFrom('package').selectAll().execute(),
        outbox: await db.selectFrom('outbox').selectAll().execute(),
        audit: await db
          .selectFrom('audit')
          .select('action')
          .where('action', '=', 'package.version.published')
          .execute(),
      }));
    const before = await state();
    let point = 0;
    for (; ; point++) {
      const { code, signal, said } = await publishElsewhere(where, blobs, draft.versionId, point);
      if (code === 0) {
        expect(JSON.parse(said)).toMatchObject({ versionId: draft.versionId, idempotent: false });
        break;
      }
      expect([code, signal], `point ${point}`).toEqual([null, 'SIGKILL']);
      expect(await state(), `point ${point}`).toEqual(before);
    }
    expect(point).toBeGreaterThanOrEqual(8);
    const after = await state();
    expect(after.versions[0]).toMatchObject({ state: 'published', event_seq: 1 });
    expect([after.outbox.length, after.audit.length]).toEqual([1, 1]);
    expect(await publishVersion(registry, draft, 'test')).toMatchObject({ idempotent: true });
  }, 120_000);
});
