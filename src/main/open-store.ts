import { join } from 'node:path';
import type { Configuration } from '../contract/configuration.ts';
import { dataFolder, type Workspace } from '../domain/workspace/workspace.ts';
import type { Store } from '../platform/store/store.ts';

/** Opens the store of a workspace, with the tables of every feature. */
export async function openStore(workspace: Workspace, { store }: Pick<Configuration, 'store'>): Promise<Store> {
  const { allMigrations } = await import('../domain/workspace/all-migrations.ts');
  const migrations = allMigrations();
  if (store.engine === 'postgres') {
    const { openPostgresStore } = await import('../platform/store/postgres/open.ts');
    const { url, role } = store;
    return openPostgresStore({ connection: url, migrations, ...(role === null ? {} : { role }) });
  }
  const [{ openSqliteStore }, { makeFolder }] = await Promise.all([
    import('../platform/store/sqlite/open.ts'),
    import('../platform/files/make-folder.ts'),
  ]);
  await makeFolder(dataFolder(workspace));
  return openSqliteStore({ path: join(dataFolder(workspace), 'waybill.db'), migrations });
}
