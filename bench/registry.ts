import { spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { runProgram } from './engine-result.ts';
import type { RegistryLoad } from './peers/measure-registry.mjs';
import { type Limits, measureLimits, medianOfLimits } from './registry-limits.ts';
import {
  medianOfRegistries,
  type NamedRegistry,
  type RegistryResult,
  registryResultSchema,
} from './registry-result.ts';

export const registryNames = [
  'Waybill',
  'Waybill, in four requests',
  'Waybill, without HTTP',
  'Verdaccio',
  'docker-registry',
  'Node, no registry',
] as const;
export type RegistryName = (typeof registryNames)[number];

/** All of one run, in the order of `registryNames`. */
export interface RegistryRows {
  /** MiB of a large file, and how many go at once. */
  readonly size: number;
  readonly together: number;
  readonly limits: Limits;
  readonly registries: readonly NamedRegistry[];
}

export interface RegistryPlan {
  /** Where the peers are installed. */
  readonly folder: string;
  /** Of the checkout. */
  readonly root: string;
  readonly data: string;
  readonly rounds: number;
  readonly load: Omit<RegistryLoad, 'data'>;
}

/** All registries in turns, round by round, each on fresh data on the same disk, and the limits before each round. */
export async function measureRegistries(plan: RegistryPlan): Promise<RegistryRows> {
  const { data, rounds, load } = plan;
  const docker = findDockerRegistry(plan.folder);
  const limits: Limits[] = [];
  const measured = new Map<RegistryName, RegistryResult[]>(registryNames.map((name) => [name, []]));
  for (let round = 1; round <= rounds; round += 1) {
    limits.push(measureLimits(data, load.bytes));
    for (const name of registryNames) {
      const place = mkdtempSync(join(data, 'round-'));
      const result = await runRegistry(name, { ...load, data: place }, plan, docker);
      console.error(`round ${round} of ${rounds}, ${name}: ${summary(result)}`);
      measured.get(name)?.push(result);
      rmSync(place, { recursive: true, force: true });
    }
  }
  return {
    size: load.bytes / 2 ** 20,
    together: load.together,
    limits: medianOfLimits(limits),
    registries: [...measured].map(([name, results]) => ({ name, ...medianOfRegistries(results) })),
  };
}

async function runRegistry(
  name: RegistryName,
  load: RegistryLoad,
  { folder, root }: Pick<RegistryPlan, 'folder' | 'root'>,
  docker: string,
): Promise<RegistryResult> {
  const ours = join(import.meta.dirname, 'waybill-registry.ts');
  const run = async (program: string, args: readonly string[], given: RegistryLoad, cwd: string) =>
    registryResultSchema.parse(await runProgram(program, args, given, cwd));
  switch (name) {
    case 'Waybill':
      return run(ours, [], load, root);
    case 'Waybill, in four requests':
      return run(ours, ['steps'], { ...load, transfers: 0 }, root);
    case 'Waybill, without HTTP':
      return run(ours, ['inside'], load, root);
    case 'Verdaccio':
      return run(join(folder, 'verdaccio.mjs'), [], load, folder);
    case 'docker-registry':
      return run(join(folder, 'docker-registry.mjs'), [docker], load, folder);
    case 'Node, no registry':
      return run(join(folder, 'node-alone.mjs'), [], load, folder);
  }
}

function summary({ publishes, transfers }: RegistryResult): string {
  const said = [
    ...(publishes === undefined ? [] : [`${publishes.freshPerSecond.toFixed(0)} publishes/s`]),
    ...(transfers === undefined
      ? []
      : [`up ${transfers.alone.up.toFixed(0)} and down ${transfers.alone.down.toFixed(0)} MiB/s`]),
  ];
  return said.join(', ');
}

/**
 * The peer that npm cannot bring: the one on PATH, or what Debian's package holds, unpacked beside the other peers without
 * installing it.
 * @throws Error when this machine has neither
 */
export function findDockerRegistry(folder: string): string {
  const onPath = spawnSync('docker-registry', ['--version']);
  if (onPath.error === undefined) return 'docker-registry';
  const place = join(folder, 'docker-registry');
  const program = join(place, 'usr', 'bin', 'docker-registry');
  if (existsSync(program)) return program;
  mkdirSync(place, { recursive: true });
  spawnSync('apt-get', ['download', 'docker-registry'], { cwd: place, stdio: ['ignore', 'ignore', 2] });
  const [found] = globSync('docker-registry_*.deb', { cwd: place });
  if (found !== undefined) spawnSync('dpkg', ['-x', found, '.'], { cwd: place, stdio: ['ignore', 'ignore', 2] });
  if (existsSync(program)) return program;
  throw new Error(
    'docker-registry must be on PATH (Debian: apt-get install docker-registry), or choose parts with --only',
  );
}
