import type { Command } from 'commander';
import { idArgument, seconds, wholeNumber } from '../argument-parsers.ts';
import type { CliContext, Stop } from '../cli-context.ts';
import { eventLine } from '../event-line.ts';
import type { Program } from '../program.ts';
import { timeIsOver } from '../time-is-over.ts';
import { usageError } from '../usage-error.ts';

interface Options {
  readonly since: number;
  readonly follow?: true;
  readonly timeout?: number;
}

export function define(command: Command, context: () => CliContext): void {
  command
    .argument('<run>', 'the run', idArgument('run'))
    .option('--since <n>', 'only events after this number', wholeNumber(0), 0)
    .option('-f, --follow', 'go on until the run is finished')
    .option('--timeout <seconds>', 'follow no longer than this', seconds)
    .addHelpText(
      'after',
      `
Numbers have no gaps: go on after a break with --since and the last number seen, and nothing is lost or repeated.
A follow whose time is over before the run is ends with the code wait_timeout, the last number, and exit code 1.

Examples:
  $ waybill events run-20261122-210500-0a1b2c3d
  $ waybill events run-20261122-210500-0a1b2c3d --since 42 --follow
  $ waybill events run-20261122-210500-0a1b2c3d --json > ledger.ndjson`,
    )
    .action(async (runId: string, options: Options) => {
      if (options.timeout !== undefined && options.follow === undefined) {
        throw usageError('--timeout belongs to --follow', 'Without --follow nothing is waited for.');
      }
      await context().stoppable((stop) =>
        context().withProgram((program) => print(context(), program, runId, options, stop)),
      );
    });
}

async function print(
  context: CliContext,
  program: Program,
  runId: string,
  { since, follow, timeout }: Options,
  stop: Stop,
): Promise<void> {
  // Who asks for an unknown run gets an error, not an empty ledger.
  await program.showRun(runId);
  const time = timeout === undefined ? undefined : AbortSignal.timeout(timeout);
  const ends = [stop.signal, context.host.terminal.stdout.closed, ...(time === undefined ? [] : [time])];
  const signal = AbortSignal.any(ends);
  let cursor = since;
  for await (const event of program.events(runId, { since, follow: follow === true, signal })) {
    if (signal.aborted) break;
    await context.print(context.json ? JSON.stringify(event) : eventLine(event, context.palette));
    cursor = event.seq;
  }
  if (timeout === undefined || time?.aborted !== true || stop.received !== null) return;
  const run = await program.showRun(runId);
  if (run.terminalEvent === null || run.terminalEvent.seq > cursor)
    throw timeIsOver({ ...run, lastSeq: cursor }, timeout);
}
