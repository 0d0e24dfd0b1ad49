import { envelopeMigrations } from '../../platform/envelopes/migrations.ts';
import { journalMigrations } from '../../platform/journal/migrations.ts';
import type { Migration } from '../../platform/store/migrations.ts';
import { gateMigrations } from '../gates/migrations.ts';
import { registryMigrations } from '../registry/migrations.ts';
import { runMigrations } from '../runs/migrations.ts';
import { workspaceMigrations } from './migrations.ts';

/** The tables of every feature, in the order in which they are made: each feature may refer to those before it. */
export function allMigrations(): readonly Migration[] {
  return [
    ...envelopeMigrations(),
    ...journalMigrations(),
    ...gateMigrations(),
    ...runMigrations(),
    ...registryMigrations(),
    ...workspaceMigrations(),
  ];
}
