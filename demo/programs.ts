import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import type { Readable } from 'node:stream';
import { printed, typed } from './tell.ts';

const waybillProgram = join(import.meta.dirname, '..', 'bin', 'waybill');

export interface Ended {
  /** null when a signal ended it. */
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly lines: readonly string[];
}

interface Choices {
  /** Show the command and what it prints; false for what the demo asks for itself. */
  readonly aloud?: boolean;
  /** Called with each line as it comes, before the next; `kill` ends the program with SIGKILL. */
  readonly onLine?: (line: string, kill: () => void) => void;
  readonly onStart?: (child: ChildProcess) => void;
  /** Lines that are read and not shown: what a daemon logs for machines. */
  readonly hides?: (line: string) => boolean;
}

/** Runs `waybill ARGS` in the project, as a process of its own. */
export function waybill(project: string, args: readonly string[], choices?: Choices): Promise<Ended> {
  return run(project, [waybillProgram, ...args], `waybill ${args.join(' ')}`, choices);
}

/** Runs any program in the project. */
export function program(project: string, argv: readonly [string, ...string[]], choices?: Choices): Promise<Ended> {
  return run(project, argv, argv.join(' '), choices);
}

/** Runs a line as a person types it into a shell. */
export function shell(project: string, line: string, choices?: Choices): Promise<Ended> {
  return run(project, ['sh', '-c', line], line, choices);
}

/** A program that goes on while the demo does other things; it never outlives the demo. */
export interface InBackground {
  /** Resolves with the first line that fits, also one it has printed before; rejects when it ends without one. */
  line(fits: (line: string) => boolean): Promise<string>;
  kill(signal: NodeJS.Signals): void;
  readonly ended: Promise<Ended>;
}

/** Starts `waybill ARGS` and lets it run. */
export function waybillInBackground(
  project: string,
  args: readonly string[],
  choices?: Pick<Choices, 'hides'>,
): InBackground {
  return inBackground(project, [waybillProgram, ...args], `waybill ${args.join(' ')} &`, choices);
}

export function inBackground(
  project: string,
  argv: readonly [string, ...string[]],
  shown: string,
  choices: Pick<Choices, 'hides'> = {},
): InBackground {
  const lines: string[] = [];
  let heard = Promise.withResolvers<void>();
  let kill: (signal: NodeJS.Signals) => void = () => {};
  let over = false;
  const tell = () => {
    heard.resolve();
    heard = Promise.withResolvers();
  };
  const ended = run(project, argv, shown, {
    ...choices,
    onStart: (child) => {
      kill = (signal) => child.kill(signal);
      process.on('exit', () => child.kill('SIGKILL'));
    },
    onLine: (line) => {
      lines.push(line);
      tell();
    },
  }).finally(() => {
    over = true;
    tell();
  });
  ended.catch(() => {});
  return {
    ended,
    kill: (signal) => kill(signal),
    line: async (fits) => {
      for (;;) {
        const found = lines.find(fits);
        if (found !== undefined) return found;
        if (over) throw new Error(`${shown} ended early: ${lines.join(' ')}`);
        await heard.promise;
      }
    },
  };
}

/** What `waybill ARGS --json` prints, parsed. @throws Error when it fails */
export async function waybillJson(project: string, args: readonly string[]): Promise<unknown[]> {
  const { exitCode, lines } = await waybill(project, [...args, '--json'], { aloud: false });
  if (exitCode !== 0) throw new Error(`waybill ${args.join(' ')} ended with ${exitCode}: ${lines.join(' ')}`);
  const text = lines.join('\n');
  return text.startsWith('{\n') ? [JSON.parse(text)] : lines.map((line) => JSON.parse(line));
}

async function run(
  project: string,
  argv: readonly [string, ...string[]],
  shown: string,
  { aloud = true, onLine, onStart, hides = () => false }: Choices = {},
): Promise<Ended> {
  if (aloud) typed(shown);
  const [command, ...args] = argv;
  // A test runner that finds itself inside another one would report to that one.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const child = spawn(command, args, { cwd: project, env, stdio: ['ignore', 'pipe', 'pipe'] });
  onStart?.(child);
  const exit = once(child, 'close').catch((error: NodeJS.ErrnoException) => {
    throw new Error(`cannot start ${command} (${error.code}): is it installed?`);
  });
  const lines: string[] = [];
  const read = async (stream: Readable) => {
    for await (const line of createInterface({ input: stream })) {
      lines.push(line);
      if (aloud && !hides(line)) printed(line);
      onLine?.(line, () => child.kill('SIGKILL'));
    }
  };
  await Promise.all([read(child.stdout), read(child.stderr), exit]);
  return { exitCode: child.exitCode, signal: child.signalCode, lines };
}
