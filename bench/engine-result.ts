import { spawn } from 'node:child_process';
import { z } from 'zod';
import type { Load } from './peers/measure.mjs';

const resultSchema = z.object({
  runs: z.int().min(1),
  runsPerSecond: z.number().positive(),
  ones: z.int().min(1),
  p50: z.number().positive(),
  p99: z.number().positive(),
  version: z.string(),
  settings: z.string(),
});
export type EngineResult = z.infer<typeof resultSchema>;

/** Runs one engine's program in a process of its own; its last line of output is its result. */
export async function runEngine(
  program: string,
  args: readonly string[],
  load: Load,
  cwd: string,
): Promise<EngineResult> {
  return resultSchema.parse(await runProgram(program, args, load, cwd));
}

/** As `runEngine`, for programs whose result has another shape. */
export async function runProgram(program: string, args: readonly string[], load: Load, cwd: string): Promise<unknown> {
  const child = spawn(process.execPath, [program, JSON.stringify(load), ...args], {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let errors = '';
  child.stdout.on('data', (part: Buffer) => {
    output += part.toString();
  });
  child.stderr.on('data', (part: Buffer) => {
    errors = (errors + part.toString()).slice(-4000);
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  const last = output.trimEnd().split('\n').at(-1) ?? '';
  if (code !== 0) throw new Error(`${program} ended with ${code}: ${errors}`);
  return JSON.parse(last);
}

/** The median of each number over the rounds; version and settings are the same in all. */
export function medianOf(rounds: readonly EngineResult[]): EngineResult {
  const [first] = rounds;
  if (first === undefined) throw new Error('no round was measured');
  const of = (pick: (round: EngineResult) => number) => median(rounds.map(pick));
  return {
    ...first,
    runsPerSecond: of((round) => round.runsPerSecond),
    p50: of((round) => round.p50),
    p99: of((round) => round.p99),
  };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.floor((sorted.length - 1) / 2)];
  if (upper === undefined || lower === undefined) throw new Error('nothing to take the median of');
  return (lower + upper) / 2;
}
