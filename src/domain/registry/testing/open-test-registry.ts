import { type ConfigurationInput, parseConfiguration } from '../../../contract/configuration.ts';
import { createFolderBlobs } from '../../../platform/blobs/folder-blobs.ts';
import { gateMigrations } from '../../gates/migrations.ts';
import { openTestWorld, type TestProcess, type TestWorld, type TestWorldOptions } from '../../runs/testing/engine.ts';
import { buildRegistry } from '../build-registry.ts';
import { registryMigrations } from '../migrations.ts';
import type { Registry } from '../registry.ts';

export interface TestRegistryOptions extends Omit<TestWorldOptions, 'migrations'> {
  readonly settings?: ConfigurationInput['registry'];
}

export interface TestRegistry extends AsyncDisposable {
  readonly registry: Registry;
  /** The engine on the same store and blobs: runs made here can be published. */
  readonly process: TestProcess;
  readonly world: TestWorld;
}

/** A registry on a real store and real files in a temporary folder. */
export async function openTestRegistry(options: TestRegistryOptions = {}): Promise<TestRegistry> {
  const world = await openTestWorld({ ...options, migrations: [...gateMigrations(), ...registryMigrations()] });
  const process = await world.start();
  const { store, clock, host } = process.engine;
  const { registry: settings } = parseConfiguration(
    options.settings === undefined ? {} : { registry: options.settings },
  );
  const blobs = createFolderBlobs(`${world.data}/blobs`);
  return {
    registry: buildRegistry({ store, clock, host, blobs, settings }),
    process,
    world,
    [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
  };
}
