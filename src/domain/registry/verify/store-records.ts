import { z } from 'zod';
import { canonicalJson } from '../../../platform/canonical-json/canonical-json.ts';
import type { Micros } from '../../../platform/clock/clock.ts';
import { auditRow } from '../../../platform/journal/audit.ts';
import type { ReadTx } from '../../../platform/store/store.ts';
import { assertNumbers } from '../../../platform/store/unreadable-number.ts';
import { foldPath } from '../entries/fold-path.ts';
import type { Registry } from '../registry.ts';
import { checkEvent } from './check-event.ts';
import { checkGates } from './check-gates.ts';
import { jsonOf } from './json-of.ts';
import { assertLink, BrokenRelease } from './release-link.ts';
import type { ReleaseContent } from './release-source.ts';

/** A version's row, with what its package says. */
export type KeptRow = NonNullable<Awaited<ReturnType<typeof readVersion>>>;

/**
 * What the store says of a published version in more than one place says the same: its row, the event that announced
 * it (where it is still kept), the audit records of its making, publishing and tombstoning, the gate runs it names, and
 * the blobs of its repo.
 * @throws BrokenRelease; WaybillError `store_corrupt`
 */
export function checkRecords({ store }: Registry, content: ReleaseContent): Promise<Readonly<Record<string, number>>> {
  return store.read((tx) => checkRecordsIn(tx, content));
}

/** As `checkRecords`, on one state of the database with what else is read of it. */
export async function checkRecordsIn(tx: ReadTx, content: ReleaseContent): Promise<Readonly<Record<string, number>>> {
  const row = await readVersion(tx, content);
  if (row === undefined) throw new BrokenRelease('package', 'the row of the version', content.versionId, 'none');
  assertNumbers('version', [row]);
  assertLink('package', 'the repo of the version', row.packageRepo, row.repo);
  assertLink(
    'package',
    'the end of its time as a draft',
    'none',
    row.expires_at === null ? 'none' : String(row.expires_at),
  );
  await checkPaths(tx, content);
  const records = await checkAudit(tx, row, content);
  const events = await checkEvent(tx, row, content);
  const gates = await checkGates(tx, row);
  return { records, ...(events === 0 ? {} : { announced: events }), ...(gates === 0 ? {} : { gates }) };
}

async function readVersion({ db }: ReadTx, { versionId }: ReleaseContent) {
  return await db
    .selectFrom('version')
    .innerJoin('package', 'package.id', 'version.package')
    .selectAll('version')
    .select(['package.repo as packageRepo', 'package.events'])
    .where('version.id', '=', versionId)
    .executeTakeFirst();
}

async function checkPaths({ db }: ReadTx, { versionId, repo, state }: ReleaseContent): Promise<void> {
  const rows = await db
    .selectFrom('version_entry as entry')
    .leftJoin('repo_blob as blob', (join) =>
      join.onRef('blob.digest', '=', 'entry.digest').onRef('blob.size', '=', 'entry.size').on('blob.repo', '=', repo),
    )
    .select(['entry.path', 'entry.folded', 'entry.digest', 'blob.repo'])
    .where('entry.version', '=', versionId)
    .execute();
  for (const { path, folded, digest, repo: held } of rows) {
    assertLink('package', `the folded path of ${path}`, foldPath(path), folded);
    if (held === null && state === 'published') {
      throw new BrokenRelease('package', path, `${digest} in the repo ${repo}`, 'not in it');
    }
  }
}

/** The records of who did what are chained by themselves; here they are held against the version's row. */
async function checkAudit({ db }: ReadTx, row: KeptRow, { coordinate, digest }: ReleaseContent): Promise<number> {
  const records = await db
    .selectFrom('audit')
    .select(['at', 'actor', 'action', 'reason', 'details'])
    .where('resource', '=', row.id)
    .where('outcome', '=', 'succeeded')
    .where('action', 'in', ['package.version.draft.created', 'package.version.published', 'package.version.tombstoned'])
    .orderBy('id')
    .execute();
  assertNumbers('audit', records);
  const of = (action: string) => records.find((record) => record.action === action);
  const told = (action: string, at: Micros | null, by: string | null) => {
    const record = of(action);
    if (record === undefined) return 0;
    assertLink('package', `the time of ${action}`, String(record.at), String(at));
    assertLink('package', `the actor of ${action}`, record.actor, by === null ? 'none' : actorOf(by));
    return 1;
  };
  const count =
    told('package.version.draft.created', row.created_at, row.created_by) +
    told('package.version.published', row.published_at, row.published_by) +
    told('package.version.tombstoned', row.tombstoned_at, row.tombstoned_by);
  const published = of('package.version.published');
  if (published === undefined) {
    throw new BrokenRelease('package', 'the audit', 'a record that it was published', 'none');
  }
  const said = publishedDetails.safeParse(jsonOf(published.details));
  if (!said.success) throw new BrokenRelease('package', 'the audit', 'a record of what was published', 'another');
  assertLink('package', 'the digest in the audit', said.data.digest, String(digest));
  const { repo, type, name, version } = said.data;
  assertLink(
    'package',
    'the coordinate in the audit',
    canonicalJson({ repo, type, name, version }),
    canonicalJson({ repo: row.repo, ...coordinate }),
  );
  const withdrawn = of('package.version.tombstoned');
  assertLink('package', 'the state', withdrawn === undefined ? 'published' : 'tombstoned', row.state);
  if (withdrawn !== undefined) {
    assertLink(
      'package',
      'the reason it was withdrawn for',
      withdrawn.reason ?? 'none',
      reasonOf(row.tombstone_reason) ?? 'none',
    );
  }
  return count;
}

const publishedDetails = z.looseObject({
  repo: z.string(),
  type: z.string(),
  name: z.string(),
  version: z.string(),
  digest: z.string(),
});

/** As an audit record has it. */
function reasonOf(reason: string | null): string | null {
  const action = 'package.version.tombstoned';
  return auditRow({ at: 0, actor: '', action, resource: '', outcome: 'succeeded', reason }).reason ?? null;
}

/** As an audit record has it. */
export function actorOf(by: string): string {
  return auditRow({ at: 0, actor: by, action: 'package.version.published', resource: '', outcome: 'succeeded' }).actor;
}
