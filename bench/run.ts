import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { type EngineResult, medianOf, runEngine } from './engine-result.ts';
import { measureEvents } from './events.ts';
import { measureFollowers } from './followers.ts';
import { describeMachine, takeMoment } from './machine.ts';
import { measureResume } from './measure-resume.ts';
import type { Load } from './peers/measure.mjs';
import { installPeers, peers, requireRedis, runPeer, servers } from './peers.ts';
import { measureRegistries } from './registry.ts';
import { renderBench } from './render.ts';
import type { BenchResults, DaemonResults, NamedResult } from './results.ts';
import { measureServeStart } from './serve-start.ts';
import { measureSnapshot } from './snapshot.ts';
import { measureStartUp } from './start-up.ts';

// `npm run bench [-- --only R31,registry] [--rounds N] [--quick]`: measures side by side, prints the page, and writes it to
// docs/benchmarks.md when all rows were measured. Give it a quiet machine: what else writes to the disk slows all rows.
const parts = ['R31', 'R32', 'R33', 'R34', 'daemon', 'registry'];
const { values } = parseArgs({
  options: {
    only: { type: 'string', default: parts.join(',') },
    rounds: { type: 'string', default: '5' },
    quick: { type: 'boolean', default: false },
  },
});
const root = dirname(import.meta.dirname);
const asked = new Set(values.only.split(','));
for (const part of asked) if (!parts.includes(part)) throw new Error(`no part ${part}: there are ${parts.join(', ')}`);
const rounds = values.quick ? 1 : Number(values.rounds);
const seconds = values.quick ? 2 : 4;
if (values.quick) console.error('quick: smaller than the page says, so nothing is written');
if (asked.has('daemon')) requireRedis();
const folder = installPeers(root);
const data = mkdtempSync(join(folder, 'data-'));

const engineNames = ['Waybill', 'Waybill, snapshot and files', ...peers] as const;
const serverNames = ['Waybill, over HTTP', ...servers] as const;
type Name = (typeof engineNames)[number] | (typeof serverNames)[number];

async function runOne(name: Name, load: Load): Promise<EngineResult> {
  const ours = (file: string) => join(import.meta.dirname, file);
  switch (name) {
    case 'Waybill':
      return runEngine(ours('waybill-runs.ts'), [], load, root);
    case 'Waybill, snapshot and files':
      return runEngine(ours('waybill-runs.ts'), ['files'], load, root);
    case 'Waybill, over HTTP':
      return runEngine(ours('waybill-http.ts'), [], load, root);
    default:
      return runPeer(name, folder, load);
  }
}

/** All engines in turns, round by round, so that a noisy moment of the machine hits all alike. */
async function measureInTurns(names: readonly Name[]): Promise<NamedResult[]> {
  const measured = new Map<string, EngineResult[]>(names.map((name) => [name, []]));
  for (let round = 1; round <= rounds; round += 1) {
    for (const name of names) {
      const load: Load = {
        inFlight: 50,
        warmSeconds: 1,
        seconds,
        ones: 300,
        oneSeconds: seconds,
        data: mkdtempSync(join(data, 'round-')),
      };
      const result = await runOne(name, load);
      console.error(
        `round ${round} of ${rounds}, ${name}: ${result.runsPerSecond.toFixed(0)} runs/s, p50 ${result.p50.toFixed(2)} ms`,
      );
      measured.get(name)?.push(result);
      rmSync(load.data, { recursive: true, force: true });
    }
  }
  return [...measured].map(([name, results]) => ({ name, ...medianOf(results) }));
}

async function measureDaemon(): Promise<DaemonResults> {
  const submit = await measureInTurns(serverNames);
  const idleSeconds = values.quick ? 2 : 30;
  const live = { followers: 1_000, lines: values.quick ? 20 : 100, everyMs: 100, idleSeconds };
  return {
    submit,
    ...(await measureFollowers(data, live)),
    start: await measureServeStart(data, values.quick ? 3 : 10),
  };
}

/** 16 in flight, and large files of 100 MiB, one at a time and 16 at once. */
function measureRegistry() {
  const [transfers, together, bytes] = values.quick ? [2, 4, 10 * 2 ** 20] : [5, 16, 100 * 2 ** 20];
  const publishes = { inFlight: 16, warmSeconds: 1, seconds, ones: 300, oneSeconds: seconds };
  return measureRegistries({ folder, root, data, rounds, load: { ...publishes, transfers, together, bytes } });
}

try {
  const before = takeMoment(data);
  const engines = asked.has('R31') ? await measureInTurns(engineNames) : undefined;
  const events = asked.has('R32') ? await measureEvents(data, values.quick ? 5_000 : 50_000, rounds) : undefined;
  const small = { files: 500, rounds: 2 };
  const snapshots = asked.has('R33') ? await measureSnapshot(...(values.quick ? [small] : [])) : undefined;
  const resume = asked.has('R33')
    ? measureResume(data, values.quick ? 20_000 : 500_000, values.quick ? 1 : 3)
    : undefined;
  const startUp = asked.has('R34') ? measureStartUp(root, data, values.quick ? 5 : 30) : undefined;
  const daemon = asked.has('daemon') ? await measureDaemon() : undefined;
  const registry = asked.has('registry') ? await measureRegistry() : undefined;
  const results: BenchResults = {
    machine: describeMachine(before, takeMoment(data)),
    rounds,
    seconds,
    ...(engines === undefined ? {} : { engines }),
    ...(events === undefined ? {} : { events }),
    ...(snapshots === undefined ? {} : { snapshots }),
    ...(resume === undefined ? {} : { resume }),
    ...(startUp === undefined ? {} : { startUp }),
    ...(daemon === undefined ? {} : { daemon }),
    ...(registry === undefined ? {} : { registry }),
  };
  const page = renderBench(results);
  console.log(page);
  if (asked.size === parts.length && !values.quick) writeFileSync(join(root, 'docs', 'benchmarks.md'), page);
} finally {
  rmSync(data, { recursive: true, force: true });
}
