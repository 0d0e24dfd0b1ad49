import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import { connectTo, type Daemon, makeDaemonWorkspace, startDaemon } from './daemon.ts';

export interface Delivery {
  readonly followers: number;
  /** Lines the run printed, and how often a line reached a follower. */
  readonly lines: number;
  readonly received: number;
  /** Milliseconds from the time in the event to its arrival in the followers' process. */
  readonly p50: number;
  readonly p99: number;
  readonly worst: number;
  /** Milliseconds of `GET /healthz`, asked one after the other meanwhile. */
  readonly health: { readonly asked: number; readonly p50: number; readonly p99: number; readonly worst: number };
}

export interface IdleUse {
  readonly what: string;
  readonly seconds: number;
  /** Share of one core, 0 to 1. */
  readonly cpu: number;
  /** Resident memory at the end, MiB. */
  readonly memory: number;
}

export interface FollowLoad {
  readonly followers: number;
  readonly lines: number;
  readonly everyMs: number;
  readonly idleSeconds: number;
}

const startedRun = z.object({ runId: z.string() });
const summary = z.object({
  ended: z.int(),
  received: z.int(),
  p50: z.number(),
  p99: z.number(),
  worst: z.number(),
});

/** A daemon alone, then with many followers of a run that waits, then with the same followers of a run that talks. */
export async function measureFollowers(
  data: string,
  load: FollowLoad,
): Promise<{ readonly delivery: Delivery; readonly idle: readonly IdleUse[] }> {
  const workspace = makeDaemonWorkspace(data);
  // The first start of all makes the store and compiles the configuration, which no later one does.
  await (await startDaemon(workspace)).stop();
  const daemon = await startDaemon(workspace);
  const call = connectTo(daemon, 1);
  // What a start does behind its first answer is over by then.
  await pause(load.idleSeconds > 5 ? 2_000 : 0);
  const alone = await idleUse(daemon, 'alone', load.idleSeconds);
  const input = { lines: load.lines, everyMs: load.everyMs };
  const { runId } = startedRun.parse(await call('POST', '/v1/runs', { workflow: 'talk', input }));
  const crowd = await follow(daemon, runId, load.followers);
  await pause(load.idleSeconds > 5 ? 2_000 : 0);
  const watched = await idleUse(daemon, `with ${load.followers} followers of a run that waits`, load.idleSeconds);
  await call('POST', `/v1/runs/${runId}/signals/go`, {});
  const health = await askHealth(daemon, crowd.ended);
  const { ended, ...times } = summary.parse(JSON.parse(await crowd.ended));
  if (ended !== load.followers) throw new Error(`${ended} of ${load.followers} followers saw the end`);
  const expected = load.followers * load.lines;
  if (times.received !== expected) throw new Error(`${times.received} lines arrived where ${expected} were sent`);
  await daemon.stop();
  return { delivery: { followers: load.followers, lines: load.lines, ...times, health }, idle: [alone, watched] };
}

/** Resolves when all of them follow; `ended` with what they measured, when the run is over. */
async function follow({ url, token }: Daemon, runId: string, count: number): Promise<{ ended: Promise<string> }> {
  const program = join(import.meta.dirname, 'follow-many.ts');
  const child = spawn(process.execPath, [program, url, token, runId, String(count)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines: string[] = [];
  const reader = createInterface(child.stdout).on('line', (line) => lines.push(line));
  const [first] = await Promise.race([once(reader, 'line'), failed(child)]);
  if (first !== 'ready') throw new Error(`the followers said ${String(first)}`);
  const ended = once(child, 'close').then(() => lines.at(-1) ?? '');
  return { ended };
}

async function failed(child: ChildProcess): Promise<never> {
  const [code] = await once(child, 'close');
  throw new Error(`the followers ended with ${String(code)} before all were there`);
}

async function askHealth(daemon: Daemon, until: Promise<unknown>): Promise<Delivery['health']> {
  const call = connectTo(daemon, 1);
  const times: number[] = [];
  let over = false;
  const ending = until.finally(() => {
    over = true;
  });
  while (!over) {
    const start = performance.now();
    await call('GET', '/healthz');
    times.push(performance.now() - start);
    await pause(20);
  }
  await ending;
  times.sort((a, b) => a - b);
  const at = (share: number) => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? Number.NaN;
  return { asked: times.length, p50: at(0.5), p99: at(0.99), worst: at(1) };
}

/** Processor time and memory of the daemon's process, as the kernel counts them. Linux only. */
async function idleUse({ pid }: Daemon, what: string, seconds: number): Promise<IdleUse> {
  const before = ticks(pid);
  const start = performance.now();
  await pause(seconds * 1000);
  const took = (performance.now() - start) / 1000;
  const kilobytes = Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  return { what, seconds, cpu: (ticks(pid) - before) / ticksPerSecond / took, memory: kilobytes / 1024 };
}

/** The kernel's unit for processes' times, fixed on every platform Linux runs on: `getconf CLK_TCK`. */
const ticksPerSecond = 100;

/** User and system time of a process: fields 14 and 15 of proc_pid_stat(5), the name in field 2 may hold spaces. */
function ticks(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}
