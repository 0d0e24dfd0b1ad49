import { z } from 'zod';
import { parseId } from '../../../contract/ids.ts';
import { digestOf } from '../../../platform/digests/digest.ts';
import type { ReadTx } from '../../../platform/store/store.ts';
import { packageAggregate } from '../publish/published-event.ts';
import { readEntries, readManifest } from '../publish/read-content.ts';
import { versionDigest } from '../publish/version-digest.ts';
import type { Inspection } from './inspection.ts';

const pageSize = 100;

/** Every version is what it says, has what it needs, and was announced and recorded when it was published. */
export async function checkVersions(inspection: Inspection): Promise<void> {
  const { store } = inspection.registry;
  for (let after = ''; !inspection.stopped; ) {
    const from = after;
    const rows = await store.read((tx) => readPage(tx, from));
    for (const row of rows) {
      await store.read((tx) => checkVersion(inspection, tx, row));
      after = row.id;
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
    .select(['version.event_seq', 'version.package', 'package.type', 'package.name', 'run.id as run_found'])
    .where('version.id', '>', after)
    .orderBy('version.id')
    .limit(pageSize)
    .execute();
}
type Row = Awaited<ReturnType<typeof readPage>>[number];

async function checkVersion(inspection: Inspection, tx: ReadTx, row: Row): Promise<void> {
  const { id, repo, state, run, type, name, version } = row;
  const where = `${id} (${type ?? '?'}:${name ?? '?'}@${version} in ${repo})`;
  if (run !== null && row.run_found === null) inspection.found('version_without_run', where, `there is no ${run}`);
  if (type === null || name === null) {
    inspection.found('version_without_package', where, `there is no package ${row.package} in ${repo}`);
    return;
  }
  const versionId = parseId('version', id);
  const entries = await readEntries(tx, repo, versionId);
  const manifest = await readManifest(tx, versionId);
  inspection.looked('entries', entries.length);
  if (manifest !== undefined) {
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
  await checkAttestation(inspection, tx, id, where);
  if (state !== 'tombstoned') {
    for (const { path, digest, held } of entries) {
      if (!held) inspection.found('entry_without_blob', where, `${path} is ${digest}, which is not in repo ${repo}`);
    }
  }
  if (state === 'draft') return;
  if (manifest === undefined || entries.length === 0) {
    inspection.found(
      'version_incomplete',
      where,
      `${entries.length} files, ${manifest === undefined ? 'no' : 'a'} manifest`,
    );
  } else {
    const digest = versionDigest({ coordinate: { type, name, version }, manifest: manifest.facts, entries });
    if (digest !== row.digest) {
      inspection.found(
        'version_changed',
        where,
        `its files and manifest have the digest ${digest}; it was published as ${row.digest}`,
      );
    }
  }
  await checkTold(inspection, tx, row, where);
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
