import { loadMigrations } from '../store/load-migrations.ts';
import type { Migration } from '../store/migrations.ts';

/** The tables of this room: `audit` with `audit_chain`, `outbox`. */
export function journalMigrations(): readonly Migration[] {
  return loadMigrations('journal', new URL('./tables/', import.meta.url));
}
