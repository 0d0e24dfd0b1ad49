import { loadMigrations } from '../../platform/store/load-migrations.ts';
import type { Migration } from '../../platform/store/migrations.ts';

/** The tables of the workspace feature. */
export function workspaceMigrations(): readonly Migration[] {
  return loadMigrations('workspace', new URL('./tables/', import.meta.url));
}
