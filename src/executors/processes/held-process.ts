import { constants } from 'node:os';
import { finished } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { WaybillError } from '../../contract/errors.ts';
import type { HeldProcess, KillReport, ProcessExit, ProcessIdentity } from '../../domain/runs/ports.ts';
import type { ProbedContainment } from './containment.ts';
import { gateEnds, gateOpens } from './gate.ts';
import { descendantsOf, kinshipOf, nameOf } from './kin.ts';
import { scanProcesses } from './process-table.ts';
import type { ChildAtGate } from './spawn-at-gate.ts';
import { send, sweep, terminate } from './sweep.ts';

/** How long the kernel may take to end a pid namespace whose first process was killed. */
const namespaceEndMs = 5000;

/** Makes the process at its gate into what the domain holds: identity, streams, release, exit and kill. */
export function holdProcess(
  atGate: ChildAtGate,
  identity: ProcessIdentity,
  containment: ProbedContainment,
  program: string,
): HeldProcess {
  const { child, gate } = atGate;
  let released = false;
  let gone = false;

  const exited = new Promise<ProcessExit>((resolve, reject) => {
    const settle = (code: number | null, signal: NodeJS.Signals | null): void => {
      gone = true;
      if (!released) reject(neverBegan(program));
      else if (signal !== null || containment.how === 'swept') resolve({ exitCode: code, signal });
      else {
        // The shell's last words may still be on their way through the gate's pipe; when it has ended they are here.
        const lastWords = (): ProcessExit =>
          behindShell(code ?? 0, atGate.shellSaid(), containment.shellReportsSignals);
        finished(gate, { signal: AbortSignal.timeout(1000), writable: false }, () => resolve(lastWords()));
      }
    };
    if (child.exitCode !== null || child.signalCode !== null) settle(child.exitCode, child.signalCode);
    else child.once('exit', settle);
  });
  // Whoever waits for it sees the rejection; nobody has to wait.
  exited.catch(() => undefined);

  async function kill(graceMs: number): Promise<KillReport> {
    if (!released) gate.destroy();
    let signaled = 0;
    if (containment.how === 'contained' && !gone) signaled = await killNamespace(released ? graceMs : 0);
    const kinship = kinshipOf(identity.marker);
    // Orphans of the tree may have wiped their environment; they still share its session. The session is ours
    // unless its number was given away after our process had gone, which `findKin` checks.
    kinship.bands.add(identity.pid);
    if (!gone) kinship.known.add(nameOf(identity));
    const swept = await sweep(kinship, containment.how === 'contained' || !released ? 0 : graceMs);
    return { how: containment.how, signaled: signaled + swept.signaled, left: swept.left };
  }

  /** SIGTERM to all in the pid namespace but its first process, grace, then SIGKILL to the first: the kernel ends the rest. */
  async function killNamespace(graceMs: number): Promise<number> {
    const end = performance.now() + graceMs;
    const seen = new Set<string>();
    const exit = new Promise<void>((resolve) => (gone ? resolve() : child.once('exit', () => resolve())));
    for (let pauseMs = 10; ; pauseMs = Math.min(pauseMs * 1.5, 100)) {
      const rows = await scanProcesses();
      if (gone) return seen.size;
      const inside = descendantsOf(identity.pid, rows);
      const first = inside.find((row) => row.ppid === identity.pid);
      const programs = inside.filter((row) => row !== first);
      const fresh = programs.filter((row) => !seen.has(nameOf(row)));
      for (const row of fresh) seen.add(nameOf(row));
      const leftMs = end - performance.now();
      if (leftMs > 0) {
        terminate(fresh);
        await Promise.race([exit, sleep(Math.min(pauseMs, leftMs), undefined, { ref: false })]);
        continue;
      }
      // Killing the first process and not `unshare`, its parent: `unshare` then ends only when the namespace is empty,
      // and its exit is our proof.
      send(first?.pid ?? identity.pid, 'SIGKILL');
      await Promise.race([exit, sleep(namespaceEndMs, undefined, { ref: false })]);
      return seen.size;
    }
  }

  return {
    identity,
    stdin: atGate.stdin,
    stdout: atGate.stdout,
    stderr: atGate.stderr,
    exited,
    kill,
    release() {
      if (released || gone || gate.destroyed) return;
      released = true;
      gate.write(gateOpens);
    },
  };
}

/**
 * What the exit code of `unshare` says about the program. Without the shell's last word the namespace was killed over
 * it, which `unshare` reports as exit 1. Behind a shell a death by signal n arrives as exit 128+n; the shell says so
 * on its stderr, except for SIGINT and SIGPIPE. Where it says nothing the program itself has chosen that exit code (git
 * ends with 129 on a wrong option).
 */
function behindShell(code: number, said: string, shellReportsSignals: boolean): ProcessExit {
  if (!said.endsWith(gateEnds)) return { exitCode: null, signal: 'SIGKILL' };
  const name = Object.entries(constants.signals).find(([, number]) => number === code - 128)?.[0];
  const died = said !== gateEnds || !shellReportsSignals || name === 'SIGINT' || name === 'SIGPIPE';
  return name !== undefined && died ? { exitCode: null, signal: name } : { exitCode: code, signal: null };
}

function neverBegan(program: string): WaybillError {
  return new WaybillError('process_spawn_failed', `${JSON.stringify(program)} was ended before it began`, {
    hint: 'Nothing of the program has run; it can be started again.',
    details: { program, retryable: true },
  });
}
