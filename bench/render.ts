import type { EventRates } from './events.ts';
import { renderDaemon } from './render-daemon.ts';
import { ms, times, whole } from './render-number.ts';
import { renderRegistry } from './render-registry.ts';
import type { BenchResults, Machine, NamedResult, ResumeTimes } from './results.ts';
import type { Row as SnapshotRow } from './snapshot.ts';
import type { StartUp } from './start-up.ts';

/** The page `docs/benchmarks.md`, and what `npm run bench` prints. */
export function renderBench(results: BenchResults): string {
  const { machine, engines, events, snapshots, resume, startUp, daemon, registry } = results;
  const parts = [
    head(machine, results),
    ...(engines === undefined ? [] : [renderEngines(engines)]),
    ...(daemon === undefined ? [] : [renderDaemon(daemon)]),
    ...(registry === undefined ? [] : [renderRegistry(registry)]),
    ...(events === undefined ? [] : [renderEvents(events)]),
    ...(snapshots === undefined && resume === undefined ? [] : [renderTree(snapshots, resume)]),
    ...(startUp === undefined ? [] : [renderStartUp(startUp)]),
    notShown,
  ];
  return `${parts.join('\n\n')}\n`;
}

function head(machine: Machine, { rounds, seconds }: BenchResults): string {
  const { syncBefore, syncAfter, loadBefore, loadAfter } = machine;
  return `# Benchmarks

Written by \`npm run bench\` on ${machine.date}: everything below was measured in one run, side by side, on one machine. Read
the ratios; the absolute numbers belong to this machine.

| machine | |
|---|---|
| processor | ${machine.processor}, ${machine.cores} cores, ${machine.memory} |
| system | ${machine.system}, Node ${machine.node} |
| one fdatasync of 4 KiB | ${ms(syncBefore)} before, ${ms(syncAfter)} after |
| load average | ${loadBefore.toFixed(1)} before, ${loadAfter.toFixed(1)} after |
| rounds | ${rounds}, medians; ${seconds} s a round at full load, after a second of warming |${busy(machine)}`;
}

/** Other work on the machine slows every row, and the one that syncs least the least. */
function busy({ loadBefore, cores }: Machine): string {
  if (loadBefore < cores / 2) return '';
  return '\n\n**The machine was busy with other work while this ran: measure again on a quiet one before you quote it.**';
}

function renderEngines(engines: readonly NamedResult[]): string {
  const [ours] = engines;
  const peers = engines.filter(({ name }) => !name.startsWith('Waybill'));
  if (ours === undefined || peers.length === 0) throw new Error('nothing to compare');
  const best = Math.max(...peers.map(({ runsPerSecond }) => runsPerSecond));
  const quickest = Math.min(...peers.map(({ p50 }) => p50));
  const rows = engines.map((one) => {
    const rate = one === ours ? '' : times(ours.runsPerSecond / one.runsPerSecond);
    const speed = one === ours ? '' : times(one.p50 / ours.p50);
    return `| ${one.name} | ${whole(one.runsPerSecond)} | ${rate} | ${ms(one.p50)} | ${ms(one.p99)} | ${speed} |`;
  });
  return `## Three-step runs (R31)

A workflow of three function steps, each recorded durably before the next. Every engine runs in a process of its own
with its client in the same process, gives the same answers (checked for each run), and stores each run (counted at the end).

| engine | runs a second, 50 in flight | Waybill does | one run alone, p50 | p99 | Waybill is faster |
|---|---|---|---|---|---|
${rows.join('\n')}

Beside the best of the peers: **${times(ours.runsPerSecond / best)}** the runs a second, one run in **${(ours.p50 / quickest).toFixed(2)}** of
the time.

${engines.map((one) => `- ${one.name} ${one.version}: ${one.settings}.`).join('\n')}

OpenWorkflow's worker looks for work every 100 ms to 1 s, which is most of the time of one run alone. "Told at once" calls
its worker by hand the moment there is work; no product does that, but it shows the engine without the wait. Its client
asks for a result once a second; here a run counts as done when its own last write has committed, in both rows.`;
}

function renderEvents({ limit, appended, appendedAlone, events, runs }: EventRates): string {
  return `## Events appended (R32)

${whole(events)} events of about 300 bytes to ${runs} runs, one an append, 100 appends in flight, each run's in order, hash-chained
and fenced; beside the same rows into the same table and index with bare \`node:sqlite\`, 100 a commit, no logic.

| | events a second | of the limit |
|---|---|---|
| the store's own limit | ${whole(limit)} | 1 |
| ledger, 100 in flight | ${whole(appended)} | **${(appended / limit).toFixed(2)}** |
| ledger, one after the other (a sync each) | ${whole(appendedAlone)} | ${(appendedAlone / limit).toFixed(3)} |`;
}

function renderTree(snapshots: readonly SnapshotRow[] = [], resume: ResumeTimes | undefined): string {
  const rows = snapshots.map(
    ({ name, ours, peer, peerName, ratio }) =>
      `| ${name} | ${ms(ours)} | \`${peerName}\` | ${ms(peer)} | **${ratio.toFixed(2)}** |`,
  );
  const table = [
    '| snapshot of 10,000 files | Waybill | beside | takes | ratio |',
    '|---|---|---|---|---|',
    ...rows,
    '',
  ];
  return [
    '## Snapshots and resume (R33)',
    '',
    ...(rows.length === 0 ? [] : table),
    ...(resume === undefined ? [] : [renderResume(resume)]),
  ].join('\n');
}

function renderResume({ events, resumed, finished, aboveIdle }: ResumeTimes): string {
  return `| resume of a ledger of ${whole(events)} events, its holder killed | |
|---|---|
| taken over, ready to go on | ${resumed.toFixed(2)} s |
| last step done, run finished | ${finished.toFixed(2)} s |
| peak memory above the same process idle | ${aboveIdle.toFixed(0)} MiB |`;
}

function renderStartUp(cases: readonly StartUp[]): string {
  const [floor] = cases;
  const rows = cases.map(
    ({ what, median: time, worst }) =>
      `| ${what} | ${ms(time)} | ${ms(worst)} | ${times(time / (floor?.median ?? time))} |`,
  );
  return `## Start to end (R34)

Time of the whole process, in a fresh git repository, ${floor?.times ?? 0} times each, in turns.

| command | median | worst | beside an empty Node |
|---|---|---|---|
${rows.join('\n')}`;
}

const notShown = `## What it does not show

- Two cores and one disk, with every engine's client on the same machine: nothing about many machines, where Restate and
  DBOS on PostgreSQL are at home and an embedded store is not.
- Steps that do nothing. With real agents and builds a run takes minutes, and none of these differences matters; what is
  measured is what durability costs, not how fast work gets done.
- Each engine as it comes, tuned only where its own documents say so (pool size, worker count). Someone who knows a peer
  well may get more out of it.
- The engines promise different things. Waybill's run holds a hash chain, keys and receipts; Restate's server replicates
  and balances; DBOS lets a step share a database transaction with your own tables. A row compares speed, not worth.
- Restate logs to its own RocksDB with fsync, DBOS to PostgreSQL with fsync, BullMQ to Redis with an fsync each write,
  OpenWorkflow and Waybill to SQLite with \`synchronous=FULL\`: all survive a power cut, none is measured with that switched off.
- Evidence files cost several syncs a run, and a run here takes no time of its own: the second row is their whole price.`;
