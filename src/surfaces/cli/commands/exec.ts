import type { Command } from 'commander';
import { nonEmpty, repeated, seconds } from '../argument-parsers.ts';
import type { CliContext } from '../cli-context.ts';
import { workOnRun } from '../work-on-run.ts';

interface Options {
  readonly allowEnv?: readonly string[];
  readonly output?: readonly string[];
  readonly timeout?: number;
  readonly key?: string;
  readonly wait: boolean;
}

export function define(command: Command, context: () => CliContext): void {
  command
    .usage('[options] -- <command> [arguments...]')
    .argument('<command...>', 'the program and its arguments, behind --')
    .option(
      '--allow-env <name>',
      'let this environment variable reach the command; may be repeated',
      repeated(nonEmpty),
    )
    .option('--output <file>', 'a file the command makes, to be kept with the run; may be repeated', repeated(nonEmpty))
    .option('--timeout <seconds>', 'end the command after this time', seconds)
    .option('--key <text>', 'idempotency key: two starts with one key are one run', nonEmpty)
    .option('--no-wait', 'run in the background; prints the run id', true)
    .addHelpText(
      'after',
      `
The command runs without a shell, in the workspace. For a pipe or a variable: waybill exec -- sh -c 'a | b'

Examples:
  $ waybill exec -- npm test
  $ waybill exec --output dist/tool.tgz -- npm run pack
  $ waybill exec --timeout 600 --allow-env CI -- make release`,
    )
    .action(async (typed: readonly string[], options: Options) => {
      const input = {
        command: typed,
        ...(options.allowEnv !== undefined && { allowEnv: options.allowEnv }),
        ...(options.output !== undefined && { expectedOutputs: options.output }),
        ...(options.timeout !== undefined && { deadlineMs: options.timeout }),
      };
      await workOnRun(context(), options, (program) =>
        program.startRun({ workflow: 'exec', tasks: [], input, key: options.key ?? null }),
      );
    });
}
