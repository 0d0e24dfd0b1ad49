import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { openReleaseWorld, publishRequest, type ReleaseWorld } from '../../../../test/support/release-world.ts';
import { type TamperedStore, type Tampering, tamperedStores, type Value } from '../../../../test/support/tampering.ts';
import { WaybillError } from '../../../contract/errors.ts';
import { publishRun } from '../release/publish-run.ts';
import { verifyVersion } from './verify-version.ts';

const opened: TamperedStore[] = [];
afterAll(async () => {
  for (const store of opened) await store.drop();
});

const coordinate = { type: 'waybill-run', name: 'my-tool', version: '1.2.0' };
const look = { repo: 'local', coordinate, key: null, checkout: null };

/** What verifying says: the first broken link, the code of an error, or null when all is well. */
async function brokenLink({ releases }: ReleaseWorld): Promise<string | null> {
  try {
    const { intact, firstBroken } = await verifyVersion(releases, look);
    return intact ? null : (firstBroken?.link ?? 'nothing named');
  } catch (error) {
    if (error instanceof WaybillError) return error.code;
    throw error;
  }
}

/** Tables of the registry that a release lives in, and how its rows are found. */
const tables: Readonly<Record<string, string>> = {
  version: "state = 'published'",
  version_entry: '1 = 1',
  version_manifest: '1 = 1',
  version_attestation: '1 = 1',
  package: '1 = 1',
  repo_blob: '1 = 1',
  gate_run: '1 = 1',
  outbox: "type = 'dev.waybill.version.published'",
  run: '1 = 1',
  run_event: '1 = 1',
  run_input: '1 = 1',
  receipt: '1 = 1',
  snapshot: '1 = 1',
};

/** What may be changed without a release being another one, and why. Everything else must be found. */
const free: Readonly<Record<string, string>> = {
  'package.created_at': 'of the package, which is older than the version',
  'package.created_by': 'of the package, which is older than the version',
  'package.events': 'counts what the package tells next',
  'repo_blob.added_at': 'of the bytes, which may be older than the version',
  'repo_blob.added_by': 'of the bytes, which may be older than the version',
  'gate_run.definition_digest': 'says when evidence is stale, before a publish',
  'gate_run.started_at': 'how long a gate took',
  'run.tree_digest': 'where a resume begins; the receipts have it',
  'run.epoch': 'fences writers; nobody writes any more',
  'run_event.id': 'a place in the file',
  'receipt.id': 'a place in the file',
  'snapshot.id': 'an index: the ledger names the list itself',
  'snapshot.digest': 'an index: the ledger names the list itself',
  'snapshot.manifest': 'an index: the ledger names the list itself',
  'snapshot.created_at': 'an index: the ledger names the list itself',
  'outbox.aggregate': 'then it is as if the event were no longer kept',
  'outbox.id': 'a place in the queue',
  'outbox.traceparent': 'of the request',
  'outbox.delivered_at': 'of the delivery',
};

/** What the databases hold in a whole number and JavaScript does not. */
const mostOfEngine = 9_223_372_036_854_775_807n;

/** Values that differ from this one in a single place: of a long text several places, spread over it. */
function* changes(value: Value): Generator<Value> {
  if (typeof value === 'number') {
    yield value + 1;
    yield mostOfEngine;
  } else if (typeof value === 'bigint') yield value + 1n;
  else if (typeof value === 'string') {
    // PostgreSQL's own client gives whole numbers as texts.
    if (/^\d{1,18}$/.test(value)) yield mostOfEngine;
    const places =
      value.length <= 4 ? [...value].map((_, at) => at) : [0, value.length >> 2, value.length >> 1, value.length - 1];
    for (const at of places) yield `${value.slice(0, at)}${flipped(value.charAt(at))}${value.slice(at + 1)}`;
  } else if (value !== null) {
    for (const at of [0, value.length >> 1, value.length - 1]) {
      const bytes = Buffer.from(value);
      bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
      yield bytes;
    }
  }
}

function flipped(character: string): string {
  if (/[0-9]/.test(character)) return character === '0' ? '1' : '0';
  return character === 'a' ? 'b' : 'a';
}

async function blobFiles({ opened: { world } }: ReleaseWorld): Promise<string[]> {
  const entries = await readdir(join(world.data, 'blobs', 'sha256'), { recursive: true, withFileTypes: true });
  const files = entries.filter((each) => each.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  expect(files.length).toBeGreaterThan(2);
  return files;
}

interface Sweep {
  readonly found: Record<string, string>;
  readonly unseen: string[];
  /** Found, and no link named. */
  readonly unnamed: string[];
  refused: number;
}

async function sweepRow(
  world: ReleaseWorld,
  database: Tampering,
  table: string,
  row: Readonly<Record<string, Value>>,
  sweep: Sweep,
) {
  const keys = Object.keys(row);
  for (const column of keys) {
    for (const value of changes(row[column] ?? null)) {
      const others = keys.filter((key) => key !== column && row[key] !== null && !(row[key] instanceof Uint8Array));
      const where = others.map((key) => `"${key}" = ?`).join(' AND ');
      const rest = others.map((key) => row[key] ?? null);
      const set = (next: Value) =>
        database.run(`UPDATE "${table}" SET "${column}" = ? WHERE ${where}`, [next, ...rest]);
      try {
        await set(value);
      } catch {
        sweep.refused += 1;
        continue;
      }
      const place = `${table}.${column}`;
      const link = await brokenLink(world);
      if (link === null) sweep.unseen.push(place);
      else {
        sweep.found[place] = link;
        if (link === 'store_corrupt') sweep.unnamed.push(place);
      }
      await set(row[column] ?? null);
    }
  }
}

describe.each(tamperedStores)('a tampered store on %s', (engine, open) => {
  test('G25 one changed byte in any column of a release is found, and the link it breaks is named', async () => {
    const store = await open();
    opened.push(store);
    await using world = await openReleaseWorld({ ...store.options, settings: { gates: ['run-checks'] } });
    await publishRun(world.releases, publishRequest(await world.build()), 'me');
    expect(await brokenLink(world)).toBeNull();
    await using database = await store.open(world.opened.world.databasePath);
    const sweep: Sweep = { found: {}, unseen: [], unnamed: [], refused: 0 };
    for (const [table, which] of Object.entries(tables)) {
      const rows = await database.rows(`SELECT * FROM "${table}" WHERE ${which}`);
      expect(rows.length, table).toBeGreaterThan(0);
      for (const row of rows) await sweepRow(world, database, table, row, sweep);
    }
    expect(await brokenLink(world)).toBeNull();
    for (const file of await blobFiles(world)) {
      const bytes = await readFile(file);
      const at = Math.floor(bytes.length / 2);
      bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
      await writeFile(file, bytes);
      expect(await brokenLink(world), file).toMatch(/^(package|snapshot|receipts)$/);
      bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
      await writeFile(file, bytes);
    }
    expect(await brokenLink(world)).toBeNull();
    expect([...new Set(sweep.unseen)].filter((place) => free[place] === undefined)).toEqual([]);
    expect(sweep.unnamed).toEqual([]);
    const places = Object.keys(sweep.found);
    expect(places.length).toBeGreaterThan(50);
    // Each table breaks the link it belongs to.
    expect(sweep.found).toMatchObject({
      'version.digest': 'package',
      'version_entry.path': 'package',
      'version_manifest.body': 'package',
      'version_attestation.envelope': 'attestation',
      'version.run': 'run',
      'outbox.payload': 'package',
      'run_event.body': 'ledger',
      'run_input.input': 'run',
      'receipt.body': 'receipts',
    });
    console.info(`G25 on ${engine}: changes in ${places.length} columns were found, ${sweep.refused} refused`);
  }, 120_000);
});
