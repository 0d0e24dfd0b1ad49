import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSnapshotPort } from '../src/executors/snapshots/snapshot-port.ts';
import { systemClock } from '../src/platform/clock/clock.ts';
import { median } from './engine-result.ts';

/** One thing measured beside its peer in the same rounds; `ratio` is ours divided by theirs, below 1 is faster. */
export interface Row {
  readonly name: string;
  /** Medians, in `unit`. */
  readonly ours: number;
  readonly peer: number;
  readonly peerName: string;
  readonly unit: 'ms';
  readonly ratio: number;
}

export interface SnapshotLoad {
  readonly files: number;
  readonly rounds: number;
}

/**
 * R33: a snapshot of a tree of source-like files (1.3 KiB on average, 100 a folder), cold beside
 * `git add -A && git write-tree` into an empty repository, and unchanged beside `git status`; in turns, round by round.
 */
export async function measureSnapshot(load: SnapshotLoad = { files: 10_000, rounds: 15 }): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'waybill-bench-snapshot-'));
  try {
    const root = join(folder, 'tree');
    makeTree(root, load.files);
    // So that no file is as young as its first look: git and we would both read such files again.
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    const cold = await measureCold(root, folder, Math.min(load.rounds, 5));
    await commit(root);
    const warm = await measureWarm(root, folder, load.rounds);
    return [...cold, ...warm];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function makeTree(root: string, files: number): void {
  for (let index = 0; index < files; index++) {
    const folder = join(root, `package-${Math.floor(index / 100)}`, index % 2 === 0 ? 'src' : 'test');
    if (index % 100 < 2) mkdirSync(folder, { recursive: true });
    writeFileSync(
      join(folder, `file-${index}.ts`),
      `export const value${index} = ${index};\n`.repeat(1 + (index % 72)),
    );
  }
}

async function measureCold(root: string, folder: string, rounds: number): Promise<Row[]> {
  const [ours, theirs]: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round++) {
    rmSync(join(root, '.git'), { recursive: true, force: true });
    await git(root, 'init', '-q');
    const port = createSnapshotPort({ cacheFile: join(folder, `cold-${round}`), clock: systemClock });
    ours.push(await milliseconds(() => port.capture({ root, include: [], exclude: [] })));
    theirs.push(
      await milliseconds(async () => {
        await git(root, 'add', '-A');
        await git(root, 'write-tree');
      }),
    );
  }
  return [row('first snapshot, nothing known', ours, theirs, 'git add -A && git write-tree')];
}

async function commit(root: string): Promise<void> {
  await git(root, 'add', '-A');
  await git(root, '-c', 'user.name=bench', '-c', 'user.email=bench@localhost', 'commit', '-q', '-m', 'all');
  await git(root, 'status');
}

async function measureWarm(root: string, folder: string, rounds: number): Promise<Row[]> {
  const cacheFile = join(folder, 'warm', 'cache');
  const request = { root, include: [], exclude: [] };
  const port = createSnapshotPort({ cacheFile, clock: systemClock });
  await port.capture(request);
  const [inProcess, nextProcess, theirs]: [number[], number[], number[]] = [[], [], []];
  for (let round = 0; round < rounds; round++) {
    theirs.push(await milliseconds(() => git(root, 'status')));
    inProcess.push(await milliseconds(() => port.capture(request)));
    const again = createSnapshotPort({ cacheFile, clock: systemClock });
    nextProcess.push(await milliseconds(() => again.capture(request)));
  }
  return [
    row('second snapshot, nothing changed', inProcess, theirs, 'git status'),
    row('the same, from the cache file alone', nextProcess, theirs, 'git status'),
  ];
}

function row(name: string, ours: readonly number[], theirs: readonly number[], peerName: string): Row {
  const [own, peer] = [median(ours), median(theirs)];
  return { name, ours: own, peer, peerName, unit: 'ms', ratio: own / peer };
}

async function milliseconds(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

function git(root: string, ...args: string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('git', args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
    child.stdout.resume();
    child.once('error', reject);
    child.once('close', (code) =>
      code === 0 ? resolve() : reject(new Error(`git ${args.join(' ')}: exit code ${code}`)),
    );
  });
}

if (import.meta.main) console.log(JSON.stringify(await measureSnapshot(), null, 2));
