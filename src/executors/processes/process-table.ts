import { execFile, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { WaybillError } from '../../contract/errors.ts';

/** One living process (zombies are left out: nothing of them runs). */
export interface ProcessRow {
  readonly pid: number;
  readonly ppid: number;
  readonly group: number;
  readonly session: number;
  readonly stopped: boolean;
  /** Together with the pid this names a process beyond the reuse of the pid. */
  readonly startTime: string;
  /** True when the environment the process was started with carries this marker in `WAYBILL_MARKER`. */
  carries(marker: string): boolean;
}

/**
 * The variable every process of a run inherits. Where a run starts a run, it holds the markers of both, outermost
 * first, with commas between.
 */
export const markerVariable = 'WAYBILL_MARKER';

let shared: Promise<readonly ProcessRow[]> | undefined;

/**
 * All living processes. Callers that ask in the same turn of the event loop share one look, so that twenty
 * processes being killed at once cost one scan.
 * @throws WaybillError `containment_failed` when the process table cannot be read.
 */
export function scanProcesses(): Promise<readonly ProcessRow[]> {
  shared ??= new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
    shared = undefined;
    return process.platform === 'linux' ? scanProc() : scanPs(['-axwwE']);
  });
  return shared;
}

/** The start time of one process as the platform gives it, or undefined when none of that pid is alive. */
export function startTimeOf(pid: number): string | undefined {
  if (process.platform === 'linux') return readRow(pid)?.startTime;
  const { stdout } = spawnSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], {
    encoding: 'utf8',
    env: psEnvironment,
  });
  const [state = '', ...start] = stdout.trim().split(/\s+/);
  return state === '' || state.startsWith('Z') ? undefined : start.join(' ');
}

/**
 * Reads /proc synchronously: it is memory, not a disk, and a look that takes long sees less of what is moving.
 *
 * The list is read again until it holds no new process, and each process is read whole at once. So a family that is
 * alive all the time is never overlooked, even if no member lives for long: whoever has gone before we came to
 * him had his child before, and the child is in a later list. Only a machine that never stops forking ends this early.
 */
function scanProc(): readonly ProcessRow[] {
  if (linkOf('/proc/self') !== String(process.pid)) {
    throw new WaybillError('containment_failed', '/proc does not show the processes this program can signal', {
      hint: 'Mount /proc anew inside the container (unshare --mount-proc), so that processes can be found.',
    });
  }
  const seen = new Set<number>();
  const rows: ProcessRow[] = [];
  for (let pass = 0; pass < 20; pass++) {
    const fresh = readdirSync('/proc')
      .map(Number)
      .filter((pid) => Number.isInteger(pid) && !seen.has(pid));
    if (fresh.length === 0) break;
    for (const pid of fresh) {
      seen.add(pid);
      const row = readRow(pid);
      if (row !== undefined) rows.push(row);
    }
  }
  return rows;
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined; // Not mounted: told by the caller.
  }
}

/**
 * Reads a file of /proc; undefined when its process has gone or is not ours to look at. Any other failure (too many
 * open files) is thrown: it must not look as if nothing were there.
 */
function readProc(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
    if (code === 'ENOENT' || code === 'ESRCH' || code === 'EACCES' || code === 'EPERM') return undefined;
    throw new WaybillError('containment_failed', `cannot read ${path}`, {
      hint: 'Without it nobody can say what is left of a run; see the cause, then resume the run.',
      cause,
    });
  }
}

/** Fields as in proc_pid_stat(5); the second is the program's name in parentheses and may hold anything, even `)`. */
function readRow(pid: number): ProcessRow | undefined {
  const stat = readProc(`/proc/${pid}/stat`);
  if (stat === undefined) return undefined;
  const [state, ppid, group, session, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const startTime = rest[15];
  if (startTime === undefined || state === 'Z' || state === 'X') return undefined;
  const environment = `\0${readProc(`/proc/${pid}/environ`) ?? ''}`;
  const markers = environment.split(`\0${markerVariable}=`, 2)[1]?.split('\0', 1)[0]?.split(',');
  return {
    ...{ pid, ppid: Number(ppid), group: Number(group), session: Number(session), startTime },
    stopped: state === 'T',
    carries: (marker) => markers?.includes(marker) ?? false,
  };
}

/** Times in one language, whatever the user's. */
const psEnvironment = { PATH: '/usr/bin:/bin', LC_ALL: 'C' };

/**
 * Where there is no /proc (macOS): `ps`, which shows the environment of one's own processes behind their command.
 * It knows no sessions, so the process group stands for both. A program could fake a marker in its arguments, but
 * only to have itself killed. Exported for its test, which runs it with the flags of Linux.
 */
export function scanPs(flags: readonly string[]): Promise<readonly ProcessRow[]> {
  const columns = 'pid=,ppid=,pgid=,stat=,lstart=,command=';
  return new Promise((resolve, reject) => {
    execFile('ps', [...flags, '-o', columns], { maxBuffer: 256 * 1024 * 1024, env: psEnvironment }, (cause, out) => {
      if (cause === null) return resolve(out.split('\n').flatMap((line) => parsePsLine(line) ?? []));
      const hint = 'Make ps available, so that what is left of a run can be found and ended.';
      reject(new WaybillError('containment_failed', 'cannot list processes with ps', { hint, cause }));
    });
  });
}

function parsePsLine(line: string): ProcessRow | undefined {
  const match = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\S+)\s+(\S+\s+\S+\s+\d+\s+[\d:]+\s+\d{4})\s(.*)$/.exec(line);
  if (match === null) return undefined;
  const [, pid, ppid, group, state = '', startTime = '', command = ''] = match;
  if (state.startsWith('Z')) return undefined;
  return {
    ...{ pid: Number(pid), ppid: Number(ppid), group: Number(group), session: Number(group) },
    ...{ startTime: startTime.replaceAll(/\s+/g, ' '), stopped: state.startsWith('T') },
    carries: (marker) => {
      const values = ` ${command}`.split(` ${markerVariable}=`).slice(1);
      return values.some((rest) => rest.split(' ', 1)[0]?.split(',').includes(marker));
    },
  };
}
