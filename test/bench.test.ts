import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { medianOf, runEngine, runProgram } from '../bench/engine-result.ts';
import { measureEvents } from '../bench/events.ts';
import { measureFollowers } from '../bench/followers.ts';
import { measureResume } from '../bench/measure-resume.ts';
import { measureLimits } from '../bench/registry-limits.ts';
import { registryResultSchema } from '../bench/registry-result.ts';
import { renderBench } from '../bench/render.ts';
import { measureServeStart } from '../bench/serve-start.ts';
import { measureSnapshot } from '../bench/snapshot.ts';
import { measureStartUp } from '../bench/start-up.ts';

const root = dirname(import.meta.dirname);
let data = '';
beforeAll(async () => {
  data = await mkdtemp(join(tmpdir(), 'waybill-bench-'));
});
afterAll(() => rm(data, { recursive: true }));

describe('each row of the benchmark measures the real thing; how fast it is, only npm run bench says', () => {
  test('R31 three-step runs at 50 in flight and one by one, each answer and each stored run checked', async () => {
    const load = { inFlight: 50, warmSeconds: 0, seconds: 0.3, ones: 5, oneSeconds: 5, data };
    const result = await runEngine(join(root, 'bench/waybill-runs.ts'), [], load, root);
    expect(result).toMatchObject({ ones: 5, settings: expect.stringContaining('synchronous=FULL') });
    expect(result.runs).toBeGreaterThanOrEqual(55);
    expect(result.p99).toBeGreaterThanOrEqual(result.p50);
  });

  test('R32 events appended in order beside the bare store', async () => {
    const rates = await measureEvents(data, 500, 1);
    expect(rates).toMatchObject({ events: 500, runs: 50 });
    for (const rate of [rates.limit, rates.appended, rates.appendedAlone]) expect(rate).toBeGreaterThan(0);
  });

  test('R33 a long ledger is made, its holder killed, and the run resumed and finished', () => {
    const times = measureResume(data, 5_000, 1);
    expect(times.events).toBe(5_000);
    expect(times.finished).toBeGreaterThanOrEqual(times.resumed);
  });

  test('R33 snapshots cold and warm beside git, of the same tree', async () => {
    const rows = await measureSnapshot({ files: 200, rounds: 1 });
    expect(rows.map(({ peerName }) => peerName)).toEqual(['git add -A && git write-tree', 'git status', 'git status']);
    for (const row of rows) expect(row.ratio).toBeCloseTo(row.ours / row.peer);
  });

  test('R34 the processes of --version and of runs that do nothing, from start to end', () => {
    const cases = measureStartUp(root, data, 1);
    expect(cases.map(({ what }) => what)).toEqual([
      '`node -e 0` (the floor)',
      '`waybill --version`',
      '`waybill run --workflow nothing`',
      '`waybill exec -- true`',
    ]);
    for (const one of cases) expect(one.median).toBeGreaterThan(0);
  });

  test('D12 runs over HTTP: each answer, each stored run and each receipt checked', async () => {
    const load = { inFlight: 50, warmSeconds: 0, seconds: 0.3, ones: 5, oneSeconds: 5, data };
    const result = await runEngine(join(root, 'bench/waybill-http.ts'), [], load, root);
    expect(result).toMatchObject({ ones: 5, settings: expect.stringContaining('synchronous=FULL') });
    expect(result.runs).toBeGreaterThanOrEqual(55);
  });

  test('D12 every line reaches every follower of a live run while /healthz is asked, and rest is measured', async () => {
    const load = { followers: 30, lines: 4, everyMs: 20, idleSeconds: 0.2 };
    const { delivery, idle } = await measureFollowers(data, load);
    expect(delivery).toMatchObject({ followers: 30, lines: 4, received: 120 });
    expect(delivery.p99).toBeGreaterThanOrEqual(delivery.p50);
    expect(delivery.p50).toBeGreaterThan(0);
    expect(delivery.health.asked).toBeGreaterThan(0);
    expect(idle).toHaveLength(2);
    for (const { memory, cpu } of idle) {
      expect(memory).toBeGreaterThan(20);
      expect(cpu).toBeGreaterThanOrEqual(0);
    }
  });

  test.each(['whole', 'steps', 'inside'])(
    'G27 small publishes (%s), each answer and what is stored checked, and large files up and down',
    async (how) => {
      const publishes = { inFlight: 4, warmSeconds: 0, seconds: 0.3, ones: 3, oneSeconds: 5 };
      const place = await mkdtemp(join(data, 'registry-'));
      const load = { ...publishes, data: place, bytes: 2 ** 20, transfers: 2, together: 2 };
      const printed = await runProgram(join(root, 'bench/waybill-registry.ts'), [how], load, root);
      const { publishes: done, transfers, settings } = registryResultSchema.parse(printed);
      expect(done).toMatchObject({ ones: 3 });
      expect(done?.published).toBeGreaterThanOrEqual(11);
      if (how === 'inside') return;
      expect(transfers?.alone.up).toBeGreaterThan(0);
      expect(transfers?.many?.peak).toBeGreaterThanOrEqual(20);
      expect(settings).toContain(how === 'whole' ? 'synchronous=FULL' : 'four requests');
    },
  );

  test('G27 a bare server on Node moves the same files, and SHA-256 and the disk are measured on the same size', async () => {
    const publishes = { inFlight: 4, warmSeconds: 0, seconds: 0.1, ones: 1, oneSeconds: 1 };
    const load = { ...publishes, data: await mkdtemp(join(data, 'bare-')), bytes: 2 ** 20, transfers: 1, together: 2 };
    const bare = registryResultSchema.parse(await runProgram(join(root, 'bench/peers/node-alone.mjs'), [], load, root));
    expect(bare.publishes).toBeUndefined();
    expect(bare.transfers?.alone.down).toBeGreaterThan(0);
    for (const rate of Object.values(measureLimits(data, 2 ** 20))) expect(rate).toBeGreaterThan(0);
  });

  test('the start of a daemon until it answers, beside an empty Node', async () => {
    const [floor, serve] = await measureServeStart(data, 1);
    expect(serve?.median).toBeGreaterThan(floor?.median ?? Number.POSITIVE_INFINITY);
  });
});

describe('the page', () => {
  const engine = { runs: 1, ones: 1, p99: 9, version: '1', settings: 's' };
  const machine = {
    date: '2026-11-22',
    processor: 'p',
    cores: 2,
    memory: '8 GiB',
    system: 'linux',
    node: 'v24',
    syncBefore: 0.3,
    syncAfter: 0.3,
    loadBefore: 0.1,
    loadAfter: 1,
  };

  test('R31 the ratios are against each peer and against the best one', () => {
    const page = renderBench({
      machine,
      rounds: 1,
      seconds: 1,
      engines: [
        { ...engine, name: 'Waybill', runsPerSecond: 4000, p50: 1 },
        { ...engine, name: 'Slow', runsPerSecond: 100, p50: 50 },
        { ...engine, name: 'Quick', runsPerSecond: 400, p50: 8 },
      ],
    });
    expect(page).toContain('| Slow | 100 | 40 times | 50.0 ms | 9.00 ms | 50 times |');
    expect(page).toContain('**10 times** the runs a second, one run in **0.13** of');
  });

  test('the part about the daemon has its ratios, delays and shares', () => {
    const health = { asked: 50, p50: 1, p99: 2, worst: 3 };
    const page = renderBench({
      machine,
      rounds: 1,
      seconds: 1,
      daemon: {
        submit: [
          { ...engine, name: 'Waybill, over HTTP', runsPerSecond: 900, p50: 2 },
          { ...engine, name: 'BullMQ', runsPerSecond: 600, p50: 3 },
        ],
        delivery: { followers: 1000, lines: 100, received: 100_000, p50: 4, p99: 20, worst: 30, health },
        idle: [{ what: 'alone', seconds: 30, cpu: 0.0012, memory: 80.4 }],
        start: [
          { what: 'floor', median: 40, worst: 50, times: 3 },
          { what: 'serve', median: 300, worst: 400, times: 3 },
        ],
      },
    });
    expect(page).toContain('| BullMQ | 600 | 1.5 times | 3.00 ms | 9.00 ms | 1.5 times |');
    expect(page).toContain('**1.5 times** the results a second, one in **0.67** of the time');
    expect(page).toContain('| from the event to its arrival | 4.00 ms | **20.0 ms** | 30.0 ms |');
    expect(page).toContain('| alone, 30 s | 0.12 % of a core | 80 MiB |');
    expect(page).toContain('| serve | 300 ms | 400 ms | 7.5 times |');
  });

  test('G27 the part about the registry has its ratios beside Verdaccio and its shares of the slower limit', () => {
    const small = { published: 9, ones: 1, p50: 2, p99: 3, cpuMs: 1 };
    const about = { version: '1', settings: 's' };
    const alone = { up: 800, down: 1200, peak: 120 };
    const page = renderBench({
      machine,
      rounds: 1,
      seconds: 1,
      registry: {
        size: 100,
        together: 16,
        limits: { sha256: 1500, write: 1000, read: 3000 },
        registries: [
          {
            ...about,
            name: 'Waybill',
            publishes: { ...small, freshPerSecond: 600, versionsPerSecond: 500 },
            transfers: { before: 100, after: 110, alone, many: { ...alone, peak: 140 } },
          },
          { ...about, name: 'Verdaccio', publishes: { ...small, freshPerSecond: 50, versionsPerSecond: 100 } },
        ],
      },
    });
    expect(page).toContain('| Verdaccio | 50 | 12 times | 100 | 5.0 times | 2.00 ms | 3.00 ms | 1.00 ms |');
    expect(page).toContain('Beside Verdaccio: **12 times** the publishes of new packages a second, **5.0 times** of');
    expect(page).toContain('| Waybill | 800 | 80 % | 1,200 | 80 % | 800 | 1,200 |');
    expect(page).toContain('| Waybill | 100 MiB | 120 MiB | 140 MiB | 110 MiB |');
  });

  test('the median of rounds is taken number by number', () => {
    const rounds = [1, 9, 5].map((value) => ({ ...engine, runsPerSecond: value, p50: 10 - value, p99: value }));
    expect(medianOf(rounds)).toMatchObject({ runsPerSecond: 5, p50: 5, p99: 5 });
    expect(medianOf(rounds.slice(0, 2))).toMatchObject({ runsPerSecond: 5 });
  });
});
