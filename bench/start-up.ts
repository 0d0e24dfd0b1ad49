import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { median } from './engine-result.ts';

export interface StartUp {
  readonly what: string;
  /** Milliseconds from start to end of the process. */
  readonly median: number;
  readonly worst: number;
  readonly times: number;
}

const configuration = `import { defineConfig, defineWorkflow } from 'waybill';
export default defineConfig({ workflows: [defineWorkflow('nothing', { snapshot: 'none' }, async () => null)] });
`;

/** R34: process time from start to end, in a fresh git workspace, beside a Node that does nothing. */
export function measureStartUp(root: string, data: string, times: number): StartUp[] {
  const workspace = mkdtempSync(join(data, 'start-up-'));
  const waybill = join(root, 'bin', 'waybill');
  const plain = cleanEnvironment();
  const inWorkspace = (command: string, args: readonly string[]) => {
    const start = performance.now();
    const end = spawnSync(command, args, {
      cwd: workspace,
      env: plain,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const took = performance.now() - start;
    if (end.status !== 0)
      throw new Error(`${command} ${args.join(' ')} ended with ${end.status}: ${end.stdout}${end.stderr}`);
    return took;
  };
  try {
    inWorkspace('git', ['init', '-q']);
    inWorkspace(waybill, ['init']);
    writeFileSync(join(workspace, 'waybill.config.ts'), configuration);
    const cases: readonly (readonly [string, string, readonly string[]])[] = [
      ['`node -e 0` (the floor)', process.execPath, ['-e', '0']],
      ['`waybill --version`', waybill, ['--version']],
      ['`waybill run --workflow nothing`', waybill, ['run', '--workflow', 'nothing', '--json']],
      ['`waybill exec -- true`', waybill, ['exec', '--json', '--', 'true']],
    ];
    const samples = cases.map((): number[] => []);
    // Once for the compile cache, then in turns, so that a noisy moment hits all alike.
    for (const [, command, args] of cases) inWorkspace(command, args);
    for (let round = 0; round < times; round += 1) {
      for (const [index, [, command, args]] of cases.entries()) samples[index]?.push(inWorkspace(command, args));
    }
    return cases.map(([what], index) => {
      const taken = samples[index] ?? [];
      return { what, median: median(taken), worst: Math.max(...taken), times };
    });
  } finally {
    rmSync(workspace, { recursive: true, force: true });
  }
}

/** Certificates named here are read by some versions of Node at each start, which is not what is measured. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const { NODE_EXTRA_CA_CERTS: _, NODE_OPTIONS: __, ...rest } = process.env;
  return rest;
}
