import { loadMigrations } from '../store/load-migrations.ts';
import type { Migration } from '../store/migrations.ts';

/** The tables of this room: `infra_error_events`, `retention_window`, `span`. */
export function envelopeMigrations(): readonly Migration[] {
  return loadMigrations('envelopes', new URL('./tables/', import.meta.url));
}
