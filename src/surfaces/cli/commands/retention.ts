import type { Command } from 'commander';
import type { CliContext } from '../cli-context.ts';
import { table } from '../table.ts';

export function define(command: Command, context: () => CliContext): void {
  command.addHelpText('after', '\nExamples:\n  $ waybill retention run --dry-run');
  command
    .command('run')
    .description('remove what is older than it must be kept, and say what and why')
    .option('--dry-run', 'only say what would be removed')
    .addHelpText(
      'after',
      `
Examples:
  $ waybill retention run --dry-run`,
    )
    .action(async (options: { readonly dryRun?: true }) => {
      const report = await context().withOwnProgram((program) =>
        program.runRetention({ dryRun: options.dryRun ?? false }),
      );
      await context().result(
        () => report,
        () => {
          const { dim } = context().palette;
          const rows = report.tables.map(({ table: name, removed, kept, reason }) => [
            name,
            String(removed),
            String(kept),
            reason,
          ]);
          const head = ['table', report.dryRun ? 'would remove' : 'removed', 'kept', 'why'].map(dim);
          const blocked = report.blocked.map(({ run, why }) => [run, why]);
          if (blocked.length === 0) return table(head, rows);
          return `${table(head, rows)}\n\n${table(['kept beyond its time', 'why'].map(dim), blocked)}`;
        },
      );
    });
}
