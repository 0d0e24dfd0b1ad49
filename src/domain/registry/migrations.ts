import { loadMigrations } from '../../platform/store/load-migrations.ts';
import type { Migration } from '../../platform/store/migrations.ts';

/** The tables of the registry feature. */
export function registryMigrations(): readonly Migration[] {
  return loadMigrations('registry', new URL('./tables/', import.meta.url));
}
