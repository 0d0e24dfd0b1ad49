import { spawnSync } from 'node:child_process';
import { connectTo, makeDaemonWorkspace, startDaemon } from './daemon.ts';
import { median } from './engine-result.ts';
import type { StartUp } from './start-up.ts';

/** From the start of the process until `/healthz` has answered, on a store that is there; beside an empty Node. */
export async function measureServeStart(data: string, times: number): Promise<StartUp[]> {
  const workspace = makeDaemonWorkspace(data);
  const serve = async () => {
    const start = performance.now();
    const daemon = await startDaemon(workspace);
    await connectTo(daemon, 1)('GET', '/healthz');
    const took = performance.now() - start;
    await daemon.stop();
    return took;
  };
  const empty = async () => {
    const start = performance.now();
    spawnSync(process.execPath, ['-e', '0']);
    return performance.now() - start;
  };
  const cases = [
    { what: '`node -e 0`, to its end (the floor)', once: empty },
    { what: '`waybill serve --port 0`, until it answers', once: serve },
  ];
  const samples = cases.map((): number[] => []);
  // The first makes the store and the compile cache.
  await serve();
  for (let round = 0; round < times; round += 1) {
    for (const [index, { once }] of cases.entries()) samples[index]?.push(await once());
  }
  return cases.map(({ what }, index) => {
    const taken = samples[index] ?? [];
    return { what, median: median(taken), worst: Math.max(...taken), times };
  });
}
