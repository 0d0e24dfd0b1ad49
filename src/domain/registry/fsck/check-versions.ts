import { z } from 'zod';
import { parseId } from '../../../contract/ids.ts';
import { digestOf } from '../../../platform/digests/digest.ts';
import type { ReadTx } from '../../../platform/store/store.ts';
import { assertNumbers } from '../../../platform/store/unreadable-number.ts';
import { packageAggregate } from '../publish/published-event.ts';
import { readEntries, readManifest } from '../publish/read-content.ts';
import { versionDigest } from '../publish/version-digest.ts';
import { readable } from './check-numbers.ts';
import { checkVersionRecords } from './check-records.ts';
import type { Inspection } from './inspection.ts';
import { unlessUnreadable } from './unreadable.ts';

const pageSize = 100;

/** Every version is what it says, has what it needs, and was announced and recorded when it was published. */
export async function checkVersions(inspection: Inspection): Promise<void> {
  const { store } = inspection.registry;
  for (let after = ''; !inspection.stopped; ) {
    const from = after;
    const rows = await store.read((tx) => readPage(tx, from));
    for (const row of rows) {
      after = row.id;
      const found = inspection.damageCount;
      await checkVersion(inspection, row);
      const { id, repo, state, type, name, version, run } = row;
      if (state === 'draft' || type === null || name === null) continue;
      // What was found already would be found again; only a run that is not here says nothing of the records.
      const known = run !== null && row.run_found === null ? 1 : 0;
      if (inspection.damageCount > found + known) continue;
      await checkVersionRecords(inspection, { id, repo, coordinate: { type, name, version }, where: placeOf(row) });
    }
    inspection.looked('versions', rows.length);
    if (rows.length < pageSize) return;
  }
}

function readPage({ db }: ReadTx, after: string) {
  return db
    .selectFrom('version')
    .leftJoin('package', (join) =>
      join.onRef('package.id', '=', 'version.package').onRef('package.repo', '=', 'version.repo'),
    )
    .leftJoin('run', 'run.id', 'version.run')
    .select(['version.id', 'version.repo', 'version.version', 'version.state', 'version.digest', 'version.run'])
    .select([
      readable('version.event_seq').as('event_seq'),
      'version.package',
      'package.type',
      'package.name',
      'run.id as run_found',
    ])
    .where('version.id', '>', after)
    .orderBy('version.id')
    .limit(pageSize)
    .execute();
}
type Row = Awaited<ReturnType<typeof readPage>>[number];

function placeOf({ id, type, name, version, repo }: Row): string {
  return `${id} (${type ?? '?'}:${name ?? '?'}@${version} in ${repo})`;
}

async function checkVersion(inspection: Inspection, row: Row): Promise<void> {
  const { store } = inspection.registry;
  const { id, repo, state, run, type, name, version } = row;
  const where = placeOf(row);
  if (run !== null && row.run_found === null) inspection.found('version_without_run', where, `there is no ${run}`);
  if (type === null || name === null) {
    inspection.found('version_without_package', where, `there is no package ${row.package} in ${repo}`);
    return;
  }
  // Each in its own scope: one that cannot be read ends its scope, and says nothing of the other.
  const entries = await unlessUnreadable(inspection, `${where}, its files`, async () => {
    const rows = await store.read((tx) => readEntries(tx, repo, parseId('version', id)));
    assertNumbers('version_entry', rows);
    return rows;
  });
  const manifest = await unlessUnreadable(inspection, `${where}, its manifest`, async () => {
    const own = await store.read((tx) => readManifest(tx, parseId('version', id)));
    if (own !== undefined) assertNumbers('version_manifest', [own.facts]);
    return own;
  });
  inspection.looked('entries', entries?.length ?? 0);
  if (manifest !== undefined && manifest !== null) {
    const { bytes, facts } = manifest;
    const actual = digestOf(bytes.body);
    if (actual !== facts.digest || bytes.body.length !== facts.size) {
      inspection.found(
        'manifest_changed',
        where,
        `${bytes.body.length} bytes with the digest ${actual}; ${facts.digest} is expected`,
      );
    }
  }
  await store.read((tx) => checkAttestation(inspection, tx, id, where));
  if (state !== 'tombstoned') {
    for (const { path, digest, held } of entries ?? []) {
      if (!held) inspection.found('entry_without_blob', where, `${path} is ${digest}, which is not in repo ${repo}`);
    }
  }
  if (state === 'draft') return;
  if (manifest === undefined || entries?.length === 0) {
    inspection.found(
      'version_incomplete',
      where,
      `${entries?.length ?? 'unreadable'} files, ${manifest === undefined ? 'no' : 'a'} manifest`,
    );
  } else if (manifest !== null && entries !== null) {
    const digest = versionDigest({ coordinate: { type, name, version }, manifest: manifest.facts, entries });
    if (digest !== row.digest) {
      inspection.found(
        'version_changed',
        where,
        `its files and manifest have the digest ${digest}; it was published as ${row.digest}`,
      );
    }
  }
  await store.read((tx) => checkTold(inspection, tx, row, where));
}

async function checkAttestation(inspection: Inspection, { db }: ReadTx, id: string, where: string): Promise<void> {
  const stored = await db
    .selectFrom('version_attestation')
    .select(['envelope', 'digest'])
    .where('version', '=', id)
    .executeTakeFirst();
  if (stored === undefined) return;
  inspection.looked('attestations');
  const actual = digestOf(stored.envelope);
  if (actual !== stored.digest) {
    inspection.found('attestation_changed', where, `its digest is ${actual}; ${stored.digest} is expected`);
  }
}

const told = z.looseObject({ versionId: z.string(), digest: z.string() });

/** What an event of a publish says of the version; null when it cannot be read. */
export function readTold(payload: string): z.infer<typeof told> | null {
  try {
    return told.parse(JSON.parse(payload));
  } catch {
    return null;
  }
}

async function checkTold(inspection: Inspection, { db }: ReadTx, row: Row, where: string): Promise<void> {
  const event = await db
    .selectFrom('outbox')
    .select(['payload'])
    .where('aggregate', '=', packageAggregate(row.package))
    .where('aggregate_seq', '=', row.event_seq ?? 0)
    .executeTakeFirst();
  const said = event === undefined ? null : readTold(event.payload);
  if (said?.versionId !== row.id || said.digest !== row.digest) {
    const what = said === null ? 'no event' : `an event of ${said.versionId}, ${said.digest}`;
    inspection.found('version_without_event', where, `${what} at the place ${row.event_seq} of its package`);
  }
  const record = await db
    .selectFrom('audit')
    .select('id')
    .where('action', '=', 'package.version.published')
    .where('resource', '=', row.id)
    .where('outcome', '=', 'succeeded')
    .executeTakeFirst();
  if (record === undefined) inspection.found('version_without_record', where, 'no record of its publish');
}
