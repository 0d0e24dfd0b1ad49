import { sql } from 'kysely';
import type { Digest, VersionId } from '../../../contract/ids.ts';
import { digestOf } from '../../../platform/digests/digest.ts';
import { makeId } from '../../../platform/ids/make-id.ts';
import { publishVersion } from '../publish/publish-version.ts';
import type { Registry } from '../registry.ts';
import { arrangeDraft } from './arrange-draft.ts';

/** What is attacked, and what an attacker who may write rows has at hand. */
export interface Targets {
  /** Published, with two entries, a manifest and an attestation. */
  readonly published: VersionId;
  readonly tombstoned: VersionId;
  /** A draft of the same package, with two entries, a manifest and an attestation of its own. */
  readonly draft: VersionId;
  /** A draft without entries. */
  readonly empty: VersionId;
  readonly packageId: string;
  readonly otherPackage: string;
  /** The blob of the first entry of `published`. */
  readonly blob: Digest;
  /** A blob of the repo that no version has. */
  readonly spare: Digest;
}

export interface Attack {
  readonly name: string;
  /** One statement of SQL; only for this engine when it is said. */
  readonly statement: string;
  readonly engine?: 'sqlite' | 'postgres';
}

const attestation = { envelope: '{"payload":"e30="}', keyId: 'test-key' };

/** A registry with one version in each state, ready to be attacked. */
export async function arrangeTargets(registry: Registry): Promise<Targets> {
  const files = { 'bin/tool': 'one', 'README.md': 'two' };
  const first = await arrangeDraft(registry, { files });
  const { packageId } = first;
  await publishVersion(registry, { ...first, attestation }, 'test');
  const second = await arrangeDraft(registry, { files: { a: 'old' }, packageId, version: '0.9.0' });
  await publishVersion(registry, { ...second, attestation }, 'test');
  const draft = await arrangeDraft(registry, {
    files: { 'bin/tool': 'three', b: 'four' },
    packageId,
    version: '2.0.0',
  });
  const empty = await arrangeDraft(registry, { files: {}, packageId, version: '3.0.0' });
  const other = await arrangeDraft(registry, { name: 'other', files: { c: 'spare' } });
  await registry.store.write(async ({ db }) => {
    await db
      .updateTable('version')
      .set({ state: 'tombstoned', tombstoned_at: 1, tombstoned_by: 'test', tombstone_reason: 'old' })
      .where('id', '=', second.versionId)
      .execute();
    const own = { version: draft.versionId, envelope: '{}', key_id: 'k', digest: digestOf('{}') };
    await db.insertInto('version_attestation').values(own).execute();
  });
  return {
    published: first.versionId,
    tombstoned: second.versionId,
    draft: draft.versionId,
    empty: empty.versionId,
    packageId,
    otherPackage: other.packageId,
    blob: digestOf('one'),
    spare: digestOf('spare'),
  };
}

/** Everything about what is published and tombstoned that must never change. */
export async function contentOf({ store }: Registry, { published, tombstoned, packageId, blob }: Targets) {
  return await store.read(async ({ db }) => ({
    versions: await db
      .selectFrom('version')
      .selectAll()
      .where('id', 'in', [published, tombstoned])
      .orderBy('id')
      .execute(),
    taken: await db
      .selectFrom('version')
      .select(['id', 'version'])
      .where('package', '=', packageId)
      .where('version', 'in', ['1.0.0', '0.9.0'])
      .orderBy('id')
      .execute(),
    states: await db.selectFrom('version').select(['id', 'state']).orderBy('id').execute(),
    entries: await db
      .selectFrom('version_entry')
      .selectAll()
      .where('version', 'in', [published, tombstoned])
      .orderBy('version')
      .orderBy('path')
      .execute(),
    manifests: await db
      .selectFrom('version_manifest')
      .selectAll()
      .where('version', 'in', [published, tombstoned])
      .orderBy('version')
      .execute(),
    attestations: await db
      .selectFrom('version_attestation')
      .selectAll()
      .where('version', 'in', [published, tombstoned])
      .orderBy('version')
      .execute(),
    packages: await db
      .selectFrom('package')
      .select(['id', 'repo', 'type', 'name', 'created_at', 'created_by'])
      .where('id', '=', packageId)
      .execute(),
    blobs: await db.selectFrom('repo_blob').selectAll().where('digest', '=', blob).execute(),
  }));
}

/** Runs one statement as the program itself may: in a writing transaction of its own store. */
export async function attack({ store }: Registry, { statement }: Attack): Promise<void> {
  await store.write(async ({ db }) => void (await sql.raw(statement).execute(db)));
}

/** Every way known to change, by one statement, what must not change. All are to be refused. */
export function immutabilityAttacks(t: Targets): readonly Attack[] {
  const { published, tombstoned, draft, empty, packageId, otherPackage, blob, spare } = t;
  const other = digestOf('other');
  const born = makeId('version');
  const columns =
    'id, package, repo, version, state, digest, run, gates, event_seq, created_at, created_by, expires_at, published_at, published_by, tombstoned_at, tombstoned_by, tombstone_reason';
  const versionRow = (id: string, version: string, state: string) =>
    state === 'draft'
      ? `('${id}', '${packageId}', 'local', '${version}', 'draft', NULL, NULL, NULL, NULL, 1, 'eve', NULL, NULL, NULL, NULL, NULL, NULL)`
      : `('${id}', '${packageId}', 'local', '${version}', '${state}', '${other}', NULL, '[]', 99, 1, 'eve', NULL, 1, 'eve', ${
          state === 'tombstoned' ? "1, 'eve', 'gone'" : 'NULL, NULL, NULL'
        })`;
  const set = (what: string, where: string, name: string): Attack => ({
    name: `update ${name}`,
    statement: `UPDATE version SET ${what} WHERE id = '${where}'`,
  });
  const publishing = `state = 'published', digest = '${other}', gates = '[]', event_seq = 9, published_at = 1, published_by = 'eve'`;
  const tombstoning = `state = 'tombstoned', tombstoned_at = 1, tombstoned_by = 'eve', tombstone_reason = 'gone'`;
  return [
    // The row of a published version.
    ...[
      `digest = '${other}'`,
      "run = 'run-20260101-000000-00000000'",
      "gates = '[1]'",
      'event_seq = 77',
      'created_at = 2',
      "created_by = 'eve'",
      'expires_at = 2',
      'published_at = 2',
      "published_by = 'eve'",
      "version = '1.0.1'",
      `package = '${otherPackage}'`,
      "repo = 'elsewhere'",
      `id = '${born}'`,
    ].map((what) => set(what, published, `of a published version: ${what}`)),
    set(
      "state = 'draft', digest = NULL, gates = NULL, event_seq = NULL, published_at = NULL, published_by = NULL",
      published,
      'back to a draft',
    ),
    set(`${tombstoning}, digest = '${other}'`, published, 'to tombstoned with another digest'),
    set(`${tombstoning}, published_by = 'eve'`, published, 'to tombstoned with another publisher'),
    set(
      "state = 'published', tombstoned_at = NULL, tombstoned_by = NULL, tombstone_reason = NULL",
      tombstoned,
      'a tombstoned version to published',
    ),
    set("tombstone_reason = 'none'", tombstoned, 'the reason of a tombstone'),
    set(`digest = '${other}'`, tombstoned, 'the digest of a tombstoned version'),
    set(
      `${tombstoning}, digest = '${other}', gates = '[]', event_seq = 9, published_at = 1, published_by = 'eve'`,
      draft,
      'a draft to tombstoned',
    ),
    set(publishing, empty, 'a draft without entries to published'),
    { name: 'delete a published version', statement: `DELETE FROM version WHERE id = '${published}'` },
    { name: 'delete a tombstoned version', statement: `DELETE FROM version WHERE id = '${tombstoned}'` },
    {
      name: 'insert a published version',
      statement: `INSERT INTO version (${columns}) VALUES ${versionRow(born, '9.0.0', 'published')}`,
    },
    {
      name: 'insert a tombstoned version',
      statement: `INSERT INTO version (${columns}) VALUES ${versionRow(born, '9.0.0', 'tombstoned')}`,
    },
    {
      name: 'insert the coordinate again',
      statement: `INSERT INTO version (${columns}) VALUES ${versionRow(born, '1.0.0', 'draft')}`,
    },
    {
      name: 'upsert by id',
      statement: `INSERT INTO version (${columns}) VALUES ${versionRow(published, '1.0.0', 'draft')} ON CONFLICT (id) DO UPDATE SET digest = '${other}'`,
    },
    {
      name: 'upsert by coordinate',
      statement: `INSERT INTO version (${columns}) VALUES ${versionRow(born, '1.0.0', 'draft')} ON CONFLICT (package, version) DO UPDATE SET digest = '${other}'`,
    },
    {
      name: 'replace by id',
      engine: 'sqlite',
      statement: `INSERT OR REPLACE INTO version (${columns}) VALUES ${versionRow(published, '8.0.0', 'draft')}`,
    },
    {
      name: 'replace by coordinate',
      engine: 'sqlite',
      statement: `INSERT OR REPLACE INTO version (${columns}) VALUES ${versionRow(born, '1.0.0', 'draft')}`,
    },
    {
      name: 'update or replace by coordinate',
      engine: 'sqlite',
      statement: `UPDATE OR REPLACE version SET version = '1.0.0' WHERE id = '${draft}'`,
    },
    {
      name: 'update or replace by id',
      engine: 'sqlite',
      statement: `UPDATE OR REPLACE version SET id = '${published}' WHERE id = '${draft}'`,
    },
    // Its entries.
    ...[published, tombstoned].flatMap((version) => [
      {
        name: `insert an entry (${version === published ? 'published' : 'tombstoned'})`,
        statement: `INSERT INTO version_entry (version, path, folded, digest, size) VALUES ('${version}', 'evil', 'evil', '${spare}', 5)`,
      },
      {
        name: `delete entries (${version === published ? 'published' : 'tombstoned'})`,
        statement: `DELETE FROM version_entry WHERE version = '${version}'`,
      },
    ]),
    ...[
      `digest = '${spare}'`,
      "path = 'evil'",
      'size = 99',
      "media_type = 'x/y'",
      `version = '${draft}'`,
      "folded = 'evil'",
    ].map((what) => ({
      name: `update an entry: ${what}`,
      statement: `UPDATE version_entry SET ${what} WHERE version = '${published}' AND path = 'bin/tool'`,
    })),
    {
      name: 'move an entry in',
      statement: `UPDATE version_entry SET version = '${published}' WHERE version = '${draft}' AND path = 'b'`,
    },
    {
      name: 'upsert an entry',
      statement: `INSERT INTO version_entry (version, path, folded, digest, size) VALUES ('${published}', 'bin/tool', 'bin/tool', '${spare}', 5) ON CONFLICT (version, path) DO UPDATE SET digest = '${spare}'`,
    },
    {
      name: 'replace an entry',
      engine: 'sqlite',
      statement: `INSERT OR REPLACE INTO version_entry (version, path, folded, digest, size) VALUES ('${published}', 'bin/tool', 'bin/tool', '${spare}', 5)`,
    },
    {
      name: 'replace an entry from a draft',
      engine: 'sqlite',
      statement: `UPDATE OR REPLACE version_entry SET version = '${published}' WHERE version = '${draft}' AND path = 'bin/tool'`,
    },
    // Its manifest and its attestation.
    ...(['version_manifest', 'version_attestation'] as const).flatMap((table): Attack[] => {
      const body = table === 'version_manifest' ? 'media_type, body, digest, size' : 'envelope, key_id, digest';
      const values = table === 'version_manifest' ? `'x/y', 'evil', '${other}', 4` : `'{}', 'eve', '${other}'`;
      return [
        {
          name: `update ${table}`,
          statement: `UPDATE ${table} SET digest = '${other}' WHERE version = '${published}'`,
        },
        {
          name: `move ${table} out`,
          statement: `UPDATE ${table} SET version = '${empty}' WHERE version = '${published}'`,
        },
        { name: `delete ${table}`, statement: `DELETE FROM ${table} WHERE version = '${published}'` },
        {
          name: `insert ${table}`,
          statement: `INSERT INTO ${table} (version, ${body}) VALUES ('${published}', ${values})`,
        },
        {
          name: `upsert ${table}`,
          statement: `INSERT INTO ${table} (version, ${body}) VALUES ('${published}', ${values}) ON CONFLICT (version) DO UPDATE SET digest = '${other}'`,
        },
        {
          name: `replace ${table}`,
          engine: 'sqlite',
          statement: `INSERT OR REPLACE INTO ${table} (version, ${body}) VALUES ('${published}', ${values})`,
        },
        {
          name: `replace ${table} from a draft`,
          engine: 'sqlite',
          statement: `UPDATE OR REPLACE ${table} SET version = '${published}' WHERE version = '${draft}'`,
        },
      ];
    }),
    // What its coordinate hangs on, and what can be downloaded of it.
    { name: 'rename its package', statement: `UPDATE package SET name = 'evil' WHERE id = '${packageId}'` },
    { name: 'move its package', statement: `UPDATE package SET repo = 'elsewhere' WHERE id = '${packageId}'` },
    { name: 'delete its package', statement: `DELETE FROM package WHERE id = '${packageId}'` },
    {
      name: 'replace its package',
      engine: 'sqlite',
      statement: `INSERT OR REPLACE INTO package (id, repo, type, name, events, created_at, created_by) VALUES ('${packageId}', 'local', 'generic', 'evil', 0, 1, 'eve')`,
    },
    {
      name: 'take its name',
      engine: 'sqlite',
      statement: `UPDATE OR REPLACE package SET name = 'tool' WHERE id = '${otherPackage}'`,
    },
    { name: 'delete its blob from the repo', statement: `DELETE FROM repo_blob WHERE digest = '${blob}'` },
    { name: 'change the size of its blob', statement: `UPDATE repo_blob SET size = 1 WHERE digest = '${blob}'` },
    {
      name: 'replace its blob',
      engine: 'sqlite',
      statement: `INSERT OR REPLACE INTO repo_blob (repo, digest, size, added_at, added_by) VALUES ('local', '${blob}', 1, 1, 'eve')`,
    },
    // What only an owner may do.
    { name: 'empty a table', engine: 'postgres', statement: 'TRUNCATE version CASCADE' },
    { name: 'drop a trigger', statement: `DROP TRIGGER version_update ON version`, engine: 'postgres' },
    { name: 'drop a trigger', statement: 'DROP TRIGGER version_update', engine: 'sqlite' },
    { name: 'disable triggers', engine: 'postgres', statement: 'ALTER TABLE version DISABLE TRIGGER ALL' },
    { name: 'play a replica', engine: 'postgres', statement: "SET session_replication_role = 'replica'" },
    {
      name: 'replace a guard',
      engine: 'postgres',
      statement:
        "CREATE OR REPLACE FUNCTION version_update() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    },
  ];
}
