import type { Command } from 'commander';
import { idArgument, seconds, wholeNumber } from '../argument-parsers.ts';
import type { CliContext } from '../cli-context.ts';
import { eventLine } from '../event-line.ts';
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

Examples:
  $ waybill events run-20261122-210500-0a1b2c3d
  $ waybill events run-20261122-210500-0a1b2c3d --since 42 --follow
  $ waybill events run-20261122-210500-0a1b2c3d --json > ledger.ndjson`,
    )
    .action(async (runId: string, options: Options) => {
      if (options.timeout !== undefined && options.follow === undefined) {
        throw usageError('--timeout belongs to --follow', 'Without --follow nothing is waited for.');
      }
      const { json, palette } = context();
      await context().stoppable((stop) =>
        context().withProgram(async (program) => {
          // Who asks for an unknown run gets an error, not an empty ledger.
          await program.showRun(runId);
          const ends = [stop.signal, context().host.terminal.stdout.closed];
          if (options.timeout !== undefined) ends.push(AbortSignal.timeout(options.timeout));
          const request = { since: options.since, follow: options.follow ?? false, signal: AbortSignal.any(ends) };
          for await (const event of program.events(runId, request)) {
            if (request.signal.aborted) return;
            await context().print(json ? JSON.stringify(event) : eventLine(event, palette));
          }
        }),
      );
    });
}
