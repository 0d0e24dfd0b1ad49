import { loadMigrations } from '../../platform/store/load-migrations.ts';
import type { Migration } from '../../platform/store/migrations.ts';

/** The tables of the gates feature. */
export function gateMigrations(): readonly Migration[] {
  return loadMigrations('gates', new URL('./tables/', import.meta.url));
}
