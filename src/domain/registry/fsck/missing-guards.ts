import { envelopeMigrations } from '../../../platform/envelopes/migrations.ts';
import { journalMigrations } from '../../../platform/journal/migrations.ts';
import { compareWithMigrations, type GuardReport } from '../../../platform/store/guards/compare-with-migrations.ts';
import type { Store } from '../../../platform/store/store.ts';
import { gateMigrations } from '../../gates/migrations.ts';
import { runMigrations } from '../../runs/migrations.ts';
import { registryMigrations } from '../migrations.ts';

/**
 * The guards of the runs, the audit and the registry that are missing or changed in the database: while one is, nothing
 * the tables say proves that a version was never changed.
 */
export function missingGuards(store: Store): Promise<GuardReport> {
  return compareWithMigrations(store, [
    ...envelopeMigrations(),
    ...journalMigrations(),
    ...gateMigrations(),
    ...runMigrations(),
    ...registryMigrations(),
  ]);
}
