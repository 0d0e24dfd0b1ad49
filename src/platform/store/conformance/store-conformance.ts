import { afterAll, beforeAll, describe } from 'vitest';
import type { Store } from '../store.ts';
import { hintRules } from './hints.ts';
import { migrationRules } from './migrations.ts';
import { operationRules } from './operations.ts';
import type { Place, StoreUnderTest } from './place.ts';
import { refusalRules } from './refusals.ts';
import { scopeRules } from './scope-rules.ts';
import { conformanceMigration } from './tables.ts';
import { transactionRules } from './transactions.ts';

/** What every store promises, whatever engine is below. */
export function storeConformance(name: string, prepare: () => Promise<StoreUnderTest>): void {
  describe(`a store on ${name}`, () => {
    let place: StoreUnderTest;
    let store: Store;
    let other: Store;
    const at: Place = {
      prepare,
      get place() {
        return place;
      },
      get store() {
        return store;
      },
      get other() {
        return other;
      },
    };
    beforeAll(async () => {
      place = await prepare();
      store = await place.open([conformanceMigration]);
      other = await place.open([conformanceMigration]);
    });
    afterAll(async () => {
      await Promise.all([store.close(), other.close()]);
      await place.remove();
    });
    transactionRules(at);
    scopeRules(at);
    operationRules(at);
    refusalRules(at);
    hintRules(at);
    migrationRules(prepare);
  });
}
