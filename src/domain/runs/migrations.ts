import { loadMigrations } from '../../platform/store/load-migrations.ts';
import type { Migration } from '../../platform/store/migrations.ts';

/** The tables of the runs feature. */
export function runMigrations(): readonly Migration[] {
  return loadMigrations('runs', new URL('./tables/', import.meta.url));
}
