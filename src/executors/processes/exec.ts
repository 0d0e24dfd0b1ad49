import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { WaybillError } from '../../contract/errors.ts';
import type {
  CommandControl,
  CommandPort,
  CommandResult,
  HeldProcess,
  KillReport,
  ProcessExit,
  ProcessPort,
  ProcessSpec,
} from '../../domain/runs/ports.ts';
import { OutputPreview, type PreviewedOutput } from './output-preview.ts';

/** How long a stream may stay silent after the whole tree has gone: then someone outside it holds the pipe open. */
const silenceMs = 2000;
const longestTimerMs = 2 ** 31 - 1;

export interface ExecControl extends CommandControl {
  /** An existing folder: all bytes of the output are written there too, as `stdout` and `stderr`. */
  readonly outputFolder?: string;
}

export interface ExecResult extends CommandResult {
  readonly stdout: PreviewedOutput;
  readonly stderr: PreviewedOutput;
}

export interface ExecPort extends CommandPort {
  /**
   * Runs one command to its end, in bounded memory whatever it writes and in bounded time whatever it leaves behind:
   * when the direct process has gone, what is left of its tree is killed. The deadline counts from the release.
   * @throws WaybillError `process_spawn_failed`, `process_signal`, `process_timeout`, `canceled`, each with
   * `details: { program, exitCode, signal, retryable }`; `containment_failed` when something could not be killed.
   * What `onStart`, `onStdout` and `onOutput` throw ends the command and is thrown again.
   */
  run(spec: ProcessSpec, control: ExecControl): Promise<ExecResult>;
}

export function createExecPort(processes: ProcessPort): ExecPort {
  return { run: (spec, control) => run(processes, spec, control) };
}

type Ending = { readonly by: 'exit' | 'deadline' | 'cancel' } | { readonly by: 'failure'; readonly error: unknown };

async function run(processes: ProcessPort, spec: ProcessSpec, control: ExecControl): Promise<ExecResult> {
  const [program] = spec.argv;
  if (control.signal.aborted) throw ended('canceled', program, undefined);
  const held = await processes.start(spec);
  try {
    await control.onStart(held.identity);
    if (control.signal.aborted) throw ended('canceled', program, undefined);
  } catch (error) {
    control.onGone(await held.kill(0));
    throw error;
  }
  const stdout = capture(held.stdout, 'stdout', control);
  const stderr = capture(held.stderr, 'stderr', control);
  // Not awaited: a program need not read what it is given. What it has not read goes with its pipe.
  held.stdin.end(control.stdin ?? '');
  held.release();
  const ending = await firstEnding(held, Promise.all([stdout.done, stderr.done]), control);
  const report = await bury(held, processes, ending, control.graceMs);
  control.onGone(report);
  if (report.left > 0) throw survived(program, report);
  const [[out, err], exit] = await Promise.all([Promise.allSettled([stdout.end(), stderr.end()]), held.exited]);
  switch (ending.by) {
    case 'failure':
      throw ending.error;
    case 'cancel':
      throw ended('canceled', program, exit);
    case 'deadline':
      throw ended('process_timeout', program, exit, `it did not end within ${control.deadlineMs} ms`);
    case 'exit':
      if (exit.exitCode === null) throw ended('process_signal', program, exit, `it was killed by ${exit.signal}`);
      if (out.status === 'rejected') throw out.reason;
      if (err.status === 'rejected') throw err.reason;
      return { exitCode: exit.exitCode, stdout: out.value, stderr: err.value };
  }
}

/** Waits for whatever ends the command first. */
async function firstEnding(held: HeldProcess, outputs: Promise<unknown>, control: ExecControl): Promise<Ending> {
  const stop = new AbortController();
  try {
    return await new Promise<Ending>((resolve) => {
      const timer = setTimeout(() => resolve({ by: 'deadline' }), Math.min(control.deadlineMs, longestTimerMs));
      stop.signal.addEventListener('abort', () => clearTimeout(timer));
      control.signal.addEventListener('abort', () => resolve({ by: 'cancel' }), { signal: stop.signal });
      held.exited.then(
        () => resolve({ by: 'exit' }),
        (error: unknown) => resolve({ by: 'failure', error }),
      );
      outputs.catch((error: unknown) => resolve({ by: 'failure', error }));
    });
  } finally {
    stop.abort();
  }
}

/** A contained tree is gone when its first process is; all others are looked for. */
async function bury(held: HeldProcess, processes: ProcessPort, ending: Ending, graceMs: number): Promise<KillReport> {
  if (ending.by !== 'exit') return held.kill(graceMs);
  if (processes.containment.how === 'swept') return held.kill(0);
  return { how: 'contained', signaled: 0, left: 0 };
}

interface Capture {
  /** Rejects as soon as the output cannot be taken any more. */
  readonly done: Promise<void>;
  /** To be called when the tree has gone: settles when all that was written is read, or nobody writes any more. */
  end(): Promise<PreviewedOutput>;
}

/** Reads a stream chunk by chunk; the next one is read when everyone has taken the last. */
function capture(stream: NodeJS.ReadableStream, name: 'stdout' | 'stderr', control: ExecControl): Capture {
  const preview = new OutputPreview();
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  let lastRead = performance.now();
  let taking = false;
  let stopped = false;

  const tell = async (text: string): Promise<void> => {
    if (text !== '') await control.onOutput?.(text.replaceAll('\0', '\ufffd'), name);
  };
  const read = async (): Promise<void> => {
    const file = control.outputFolder === undefined ? undefined : await openOutput(join(control.outputFolder, name));
    try {
      for await (const chunk of stream) {
        taking = true;
        const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
        preview.add(bytes);
        if (name === 'stdout') control.onStdout?.(bytes);
        await file?.write(bytes);
        await tell(decoder.decode(bytes, { stream: true }));
        taking = false;
        lastRead = performance.now();
      }
    } catch (error) {
      if (!stopped) throw error;
    } finally {
      await file?.close();
    }
    await tell(decoder.decode());
  };
  const done = read();
  // `firstEnding` and `end` both look at it; this keeps it from being unhandled in between.
  done.catch(() => undefined);
  return {
    done,
    async end() {
      lastRead = performance.now();
      const watch = setInterval(() => {
        if (taking || performance.now() - lastRead < silenceMs) return;
        stopped = true;
        if (stream instanceof Readable) stream.destroy();
      }, 250);
      await done.finally(() => clearInterval(watch));
      return preview.finish(!stopped);
    },
  };
}

/** A file that takes all of one stream; its failures are ours, not the command's. */
async function openOutput(path: string): Promise<{ write(bytes: Uint8Array): Promise<void>; close(): Promise<void> }> {
  const failed = (cause: unknown): never => {
    throw new WaybillError('file_write_failed', `cannot write the output of the command to ${path}`, {
      hint: 'Look for a full disk or a missing folder, then resume the run.',
      cause,
    });
  };
  const file = await open(path, 'w', 0o600).catch(failed);
  return {
    write: (bytes) => file.writeFile(bytes).catch(failed),
    close: () => file.close(),
  };
}

function ended(
  code: 'canceled' | 'process_timeout' | 'process_signal',
  program: string,
  exit: ProcessExit | undefined,
  why = 'it was canceled',
): WaybillError {
  const hints = {
    canceled: 'Its whole process tree was ended; resume the run to start it again.',
    process_timeout: 'Give the step a longer deadline, or find out what it waits for.',
    process_signal: 'Something outside Waybill killed it: look for lack of memory, or a kill by hand.',
  };
  return new WaybillError(code, `${JSON.stringify(program)}: ${why}`, {
    hint: hints[code],
    details: {
      ...{ program, exitCode: exit?.exitCode ?? null, signal: exit?.signal ?? null },
      retryable: code !== 'canceled',
    },
  });
}

function survived(program: string, report: KillReport): WaybillError {
  return new WaybillError(
    'containment_failed',
    `${report.left} processes of ${JSON.stringify(program)} could not be killed`,
    {
      hint: 'They are stuck in the kernel or belong to another user: find them with ps, end them, then resume the run.',
      details: { program, how: report.how, left: report.left, retryable: false },
    },
  );
}
