import type { Inspection } from './inspection.ts';

/** More of one kind than this are not named one by one. */
const most = 1_000;

/** Rows that belong to nothing: what hangs on a version, a package or a repo that is not there. */
export async function checkRows(inspection: Inspection): Promise<void> {
  await checkPartsOfVersions(inspection);
  await checkPackages(inspection);
  await checkTags(inspection);
}

async function checkPartsOfVersions(inspection: Inspection): Promise<void> {
  const { store } = inspection.registry;
  for (const table of ['version_entry', 'version_manifest', 'version_attestation', 'quarantine'] as const) {
    const rows = await store.read(({ db }) =>
      db
        .selectFrom(table)
        .select('version')
        .distinct()
        .where((where) =>
          where.not(
            where.exists(where.selectFrom('version as v').select('v.id').whereRef('v.id', '=', `${table}.version`)),
          ),
        )
        .orderBy('version')
        .limit(most)
        .execute(),
    );
    for (const { version } of rows) {
      inspection.found('row_without_version', `${table} of ${version}`, 'there is no such version');
    }
    inspection.looked('tables of rows that hang on others');
  }
}

async function checkPackages(inspection: Inspection): Promise<void> {
  const rows = await inspection.registry.store.read(({ db }) =>
    db
      .selectFrom('package')
      .leftJoin('repo', 'repo.key', 'package.repo')
      .select(['package.id', 'package.repo'])
      .where('repo.key', 'is', null)
      .orderBy('package.id')
      .limit(most)
      .execute(),
  );
  for (const { id, repo } of rows) inspection.found('package_without_repo', id, `there is no repo ${repo}`);
  inspection.looked('tables of rows that hang on others');
}

async function checkTags(inspection: Inspection): Promise<void> {
  const rows = await inspection.registry.store.read(({ db }) =>
    db
      .selectFrom('tag')
      .leftJoin('version', 'version.id', 'tag.version')
      .select(['tag.package', 'tag.tag', 'tag.version', 'version.state', 'version.package as owner'])
      .execute(),
  );
  for (const row of rows) {
    const where = `${row.tag} of ${row.package}`;
    if (row.state === null) inspection.found('tag_to_nothing', where, `there is no ${row.version}`);
    else if (row.owner !== row.package) inspection.found('tag_to_nothing', where, `${row.version} is of ${row.owner}`);
    else if (row.state === 'draft') inspection.found('tag_to_nothing', where, `${row.version} is a draft`);
  }
  inspection.looked('tags', rows.length);
}
