import type { Command } from 'commander';
import { runView } from '../../../views/runs.ts';
import { idArgument, wholeNumber } from '../argument-parsers.ts';
import type { CliContext } from '../cli-context.ts';
import { receiptTable, receiptText } from '../receipt-text.ts';
import { runText } from '../run-text.ts';
import { usageError } from '../usage-error.ts';

interface Options {
  readonly receipts?: true;
  readonly step?: number;
}

export function define(command: Command, context: () => CliContext): void {
  command
    .argument('<run>', 'the run', idArgument('run'))
    .option('--receipts', 'list the receipts of its steps')
    .option('--step <n>', 'print one receipt', wholeNumber(1))
    .addHelpText(
      'after',
      `
Examples:
  $ waybill show run-20261122-210500-0a1b2c3d
  $ waybill show run-20261122-210500-0a1b2c3d --receipts
  $ waybill show run-20261122-210500-0a1b2c3d --step 3 --json`,
    )
    .action(async (runId: string, options: Options) => {
      const { step } = options;
      if (step !== undefined && options.receipts === true) throw usageError('--receipts and --step exclude each other');
      await context().withProgram(async (program) => {
        if (step !== undefined) {
          const receipt = await program.receipt(runId, step);
          return await context().result(
            () => receipt,
            () => receiptText(receipt, context().palette),
          );
        }
        if (options.receipts === true) {
          const receipts = await program.receipts(runId);
          return await context().result(
            () => ({ runId, receipts }),
            () => receiptTable(runId, receipts, context().palette),
          );
        }
        const run = await program.showRun(runId);
        return await context().result(
          () => runView(run),
          () => runText(run, context().palette),
        );
      });
    });
}
