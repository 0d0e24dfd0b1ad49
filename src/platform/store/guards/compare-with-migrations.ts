import type { Migration } from '../migrations.ts';
import type { Store } from '../store.ts';
import { compareGuards, type Guard, type GuardProblem } from './guard.ts';
import {
  expectedPostgresGuards,
  postgresFunction,
  postgresTrigger,
  selectFunctions,
  selectTriggers,
} from './postgres-guards.ts';
import { expectedSqliteGuards, selectSqliteGuards, sqliteGuard } from './sqlite-guards.ts';

export interface GuardReport {
  /** How many there should be; each was looked at. */
  readonly checked: number;
  readonly problems: readonly GuardProblem[];
}

/**
 * Holds the guards of a database against those its migrations make. Whoever owns a SQLite file can drop a trigger; this
 * tells that somebody did.
 */
export async function compareWithMigrations(store: Store, migrations: readonly Migration[]): Promise<GuardReport> {
  const [expected, actual] =
    store.engine === 'sqlite'
      ? [expectedSqliteGuards(migrations), await sqliteGuards(store)]
      : [expectedPostgresGuards(migrations), await postgresGuards(store)];
  return { checked: expected.length, problems: compareGuards(expected, actual) };
}

async function sqliteGuards(store: Store): Promise<readonly Guard[]> {
  return (await store.select(selectSqliteGuards, [])).map(sqliteGuard);
}

async function postgresGuards(store: Store): Promise<readonly Guard[]> {
  const triggers = await store.select(selectTriggers, []);
  const functions = await store.select(selectFunctions, []);
  return [...triggers.map(postgresTrigger), ...functions.map(postgresFunction)];
}
