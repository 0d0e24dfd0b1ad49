import { type ChildProcess, spawn } from 'node:child_process';
import { Duplex, type Readable, type Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { WaybillError } from '../../contract/errors.ts';
import type { ProcessSpec } from '../../domain/runs/ports.ts';
import type { ProbedContainment } from './containment.ts';
import { gateScript, gateStands, shell, shellVariables } from './gate.ts';
import { markerVariable } from './process-table.ts';

/** How long a process may take to stand at its gate; a machine that needs longer cannot run it anyway. */
const gateTimeoutMs = 30_000;

export interface ChildAtGate {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly gate: Duplex;
  /** What the gate's shell has said since it stands, the first few lines. */
  readonly shellSaid: () => string;
}

/**
 * Starts the shell that holds a program at its gate, in its own session and, where there is one, inside the
 * containment; resolves when it stands there, so that from then on the death of this program is the death of that one.
 * @throws WaybillError `process_spawn_failed` when the system refuses (process limits, memory, too long arguments).
 */
export async function spawnAtGate(spec: ProcessSpec, containment: ProbedContainment): Promise<ChildAtGate> {
  const [program] = spec.argv;
  const unset = shellVariables.filter((name) => !(name in spec.env));
  const script = gateScript(containment.how, unset);
  const [file = shell, ...args] = [...containment.wrapper, shell, '-c', script, 'sh', ...spec.argv];
  const markers = [process.env[markerVariable], spec.marker].filter((marker) => marker !== undefined && marker !== '');
  const refusal = (why: string, cause?: unknown): WaybillError =>
    new WaybillError('process_spawn_failed', `cannot start ${JSON.stringify(program)}: ${why}`, {
      hint: 'The system refused a new process: look at its limits (ulimit -u, memory), or set WAYBILL_CONTAINMENT=swept.',
      details: { program, retryable: true },
      cause,
    });

  let child: ChildProcess;
  try {
    child = spawn(file, args, {
      cwd: spec.cwd,
      env: { ...spec.env, [markerVariable]: markers.join(',') },
      stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
      detached: true,
    });
  } catch (cause) {
    // Node throws some refusals of the system (E2BIG) and emits others (EAGAIN).
    throw refusal(cause instanceof Error ? cause.message : 'the system refused', cause);
  }
  const { stdin, stdout, stderr, pid } = child;
  const gate = child.stdio[3];
  if (!stdin || !stdout || !stderr || !(gate instanceof Duplex)) throw refusal('the system gave no pipes');
  // Writing to a program that has gone is no failure of ours: `exited` tells what became of it.
  stdin.on('error', () => undefined);
  gate.on('error', () => undefined);

  let said = '';
  gate.setEncoding('utf8');
  const patience = new AbortController();
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(refusal(`it did not stand at its gate within ${gateTimeoutMs / 1000} s`));
    }, gateTimeoutMs);
    patience.signal.addEventListener('abort', () => clearTimeout(timer));
    gate.on('data', (chunk: string) => {
      // Read on, so that the shell never blocks; but a few lines are all it has to say.
      if (said.length < 4096) said += chunk;
      if (said.startsWith(gateStands)) resolve();
    });
    child.once('error', (cause) => reject(refusal(cause.message, cause)));
    child.once('exit', () => {
      if (said.startsWith(gateStands)) return;
      text(stderr).then(
        (words) => reject(refusal(words.trim().slice(0, 500) || 'it ended before it stood at its gate')),
        reject,
      );
    });
  }).finally(() => patience.abort());
  if (pid === undefined) throw refusal('the system gave it no pid');
  return { child, pid, stdin, stdout, stderr, gate, shellSaid: () => said.slice(gateStands.length) };
}
