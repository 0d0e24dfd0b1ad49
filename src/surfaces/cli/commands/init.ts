import type { Command } from 'commander';
import type { Initialized } from '../../../domain/workspace/initialize-workspace.ts';
import type { CliContext } from '../cli-context.ts';

export function define(command: Command, context: () => CliContext): void {
  command
    .addHelpText(
      'after',
      `
Writes a commented waybill.config.ts, the data folder .waybill/, and an example task. Never overwrites anything.

Examples:
  $ waybill init
  $ waybill init --workspace path/to/repo`,
    )
    .action(async () => {
      const { initializeWorkspace } = await import('../../../domain/workspace/initialize-workspace.ts');
      const done = await initializeWorkspace(context().start);
      await context().result(
        () => done,
        () => text(context(), done),
      );
    });
}

function text(context: CliContext, { root, created, kept }: Initialized): string {
  const { green, dim, bold } = context.palette;
  const lines = [
    created.length === 0 ? `${root} is a workspace already: nothing was changed.` : `${root} is a workspace now.`,
    ...created.map((path) => `  ${green('made')} ${path}`),
    ...kept.map((path) => `  ${dim('kept')} ${path}`),
  ];
  if (created.includes('waybill.config.ts')) {
    lines.push('', `Try it: ${bold(`waybill run --workflow hello --input '"you"'`)}`);
  }
  return lines.join('\n');
}
