import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { SqliteConnection } from './connection.ts';
import { makeDurable } from './durability.ts';

test('a commit is synced before it is acknowledged, and nothing ever sleeps in the engine', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-durable-'));
  const connection = new SqliteConnection(join(folder, 'waybill.db'), 'write');
  try {
    await makeDurable(connection.database, 1000);
    const setting = (name: string) => Object.values(connection.database.prepare(`PRAGMA ${name}`).get() ?? {})[0];
    const full = 2;
    const onMac = process.platform === 'darwin' ? 1 : 0;
    expect({
      journal: setting('journal_mode'),
      synchronous: setting('synchronous'),
      fullfsync: setting('fullfsync'),
      foreignKeys: setting('foreign_keys'),
      busyTimeout: setting('busy_timeout'),
    }).toEqual({ journal: 'wal', synchronous: full, fullfsync: onMac, foreignKeys: 1, busyTimeout: 0 });
  } finally {
    connection.close();
    await rm(folder, { recursive: true });
  }
});
