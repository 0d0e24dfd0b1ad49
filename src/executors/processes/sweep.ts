import { setTimeout as sleep } from 'node:timers/promises';
import { findKin, type Kinship, nameOf } from './kin.ts';
import { type ProcessRow, scanProcesses } from './process-table.ts';

/** How long we keep killing what does not die (a process stuck in the kernel) before we say that it is left. */
const patienceMs = 5000;

export interface SweepReport {
  readonly signaled: number;
  readonly left: number;
}

/**
 * Ends every process of a tree by searching: SIGTERM to all that is found, until `graceMs` are over, then SIGKILL,
 * until two looks in a row find nothing. What is born while we look is found by the next look, through its marker or
 * its kin. Whole process groups are killed in one call, which no fork can outrun.
 *
 * What it cannot find: a process that has wiped its environment and left its session, after all its kin have gone.
 * @throws WaybillError `containment_failed` when the process table cannot be read.
 */
export async function sweep(kinship: Kinship, graceMs: number): Promise<SweepReport> {
  const start = performance.now();
  const signaled = new Set<string>();
  const asked = new Set<string>();
  let emptyLooks = 0;
  for (let pauseMs = 10; ; pauseMs = Math.min(pauseMs * 1.5, 100)) {
    const rows = await scanProcesses();
    const kin = findKin(rows, kinship);
    emptyLooks = kin.length === 0 ? emptyLooks + 1 : 0;
    if (emptyLooks === 2) return { signaled: signaled.size, left: 0 };
    const elapsed = performance.now() - start;
    if (elapsed >= graceMs + patienceMs) return { signaled: signaled.size, left: kin.length };
    if (elapsed < graceMs) terminate(kin.filter((row) => !asked.has(nameOf(row))));
    else killAll(kin, rows);
    for (const row of kin) {
      asked.add(nameOf(row));
      signaled.add(nameOf(row));
    }
    await sleep(elapsed < graceMs ? Math.min(pauseMs, graceMs - elapsed) : 10);
  }
}

/** Asks processes to end. A stopped one must be continued, or it would not hear. */
export function terminate(rows: readonly ProcessRow[]): void {
  for (const row of rows) {
    send(row.pid, 'SIGTERM');
    if (row.stopped) send(row.pid, 'SIGCONT');
  }
}

/** A group is killed in one call when all its members are ours; they always are, unless this program was started by one. */
function killAll(kin: readonly ProcessRow[], rows: readonly ProcessRow[]): void {
  const ours = new Set(kin.map((row) => row.pid));
  const mixed = new Set(rows.filter((row) => !ours.has(row.pid)).map((row) => row.group));
  const groups = new Set(kin.map((row) => row.group).filter((group) => group > 1 && !mixed.has(group)));
  for (const group of groups) send(-group, 'SIGKILL');
  for (const row of kin) send(row.pid, 'SIGKILL');
}

/** Sends a signal; that a process has gone, or is not ours to signal, shows in the next look. */
export function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code !== 'ESRCH' && code !== 'EPERM') throw error;
  }
}
