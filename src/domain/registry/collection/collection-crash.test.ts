import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { type TestDatabase, testDatabase } from '../../../../test/postgres/test-database.ts';
import { Random } from '../../../../test/support/random.ts';
import { digestOf, hexOf } from '../../../platform/digests/digest.ts';
import { openPostgresStore } from '../../../platform/store/postgres/open.ts';
import { gateMigrations } from '../../gates/migrations.ts';
import { runTables } from '../../runs/testing/engine.ts';
import { registryMigrations } from '../migrations.ts';
import { publishVersion } from '../publish/publish-version.ts';
import { arrangeDraft } from '../testing/arrange-draft.ts';
import { openTestRegistry, type TestRegistry } from '../testing/open-test-registry.ts';

const databases: TestDatabase[] = [];
afterAll(() => Promise.all(databases.map((database) => database.drop())));
const fixture = fileURLToPath(new URL('./fixtures/keep-collecting.ts', import.meta.url));
const migrations = [...runTables(), ...gateMigrations(), ...registryMigrations()];

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

/** Collects in another process, which is killed at its n-th step; null lets it finish. */
async function collectElsewhere(where: string, blobs: string, killAtStep: number | null): Promise<string> {
  const child = spawn(process.execPath, ['--no-warnings', fixture, where, blobs], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString('utf8');
    if (killAtStep !== null && said.length >= killAtStep) child.kill('SIGKILL');
  });
  await once(child, 'close');
  return said;
}

describe.each(places)('a collector that is killed, on %s', (_name, open) => {
  test('G26 leaves everything that is referred to, and the next one goes on until nothing is left to collect', async () => {
    const random = Random.printed('killed collectors');
    const { opened, where } = await open();
    await using _ = opened;
    const { registry } = opened;
    const folder = join(opened.world.data, 'blobs');
    const kept = await arrangeDraft(registry, { name: 'kept', files: { one: 'kept one', two: 'kept two' } });
    await publishVersion(registry, { repo: kept.repo, versionId: kept.versionId }, 'me');
    const rows: { repo: string; digest: string; size: number; added_at: number; added_by: string }[] = [];
    for (let index = 0; index < 120; index++) {
      const text = `garbage ${index}`;
      const digest = await registry.blobs.put(Buffer.from(text));
      rows.push({ repo: 'local', digest, size: text.length, added_at: registry.clock.now(), added_by: 'me' });
    }
    await registry.store.write(({ db }) => db.insertInto('repo_blob').values(rows).execute());
    const names = async () => {
      const files = await readdir(join(folder, 'sha256'), { recursive: true, withFileTypes: true });
      return files
        .filter((each) => each.isFile())
        .map(({ name }) => name)
        .toSorted();
    };
    const counts = [(await names()).length];
    for (let kills = 0; kills < 6; kills++) {
      const said = await collectElsewhere(where, folder, random.between(2, 40));
      counts.push((await names()).length);
      for (const text of ['kept one', 'kept two']) expect(await registry.blobs.has(digestOf(text))).toBe(true);
      if (said.includes('complete')) break;
    }
    expect(new Set(counts).size, `some died in the middle: ${counts.join(', ')}`).toBeGreaterThan(2);
    expect(await collectElsewhere(where, folder, null)).toContain('complete: true');
    expect(await names()).toEqual([digestOf('kept one'), digestOf('kept two')].map(hexOf).toSorted());
    expect(await registry.store.read(({ db }) => db.selectFrom('repo_blob').select('digest').execute())).toHaveLength(
      2,
    );
  }, 60_000);
});
