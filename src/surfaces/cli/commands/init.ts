import type { Command } from 'commander';
import type { Initialized } from '../../../domain/workspace/initialize-workspace.ts';
import type { CliContext } from '../cli-context.ts';

/** Every store has it from its first migration on. */
const localRepo = 'local';

export function define(command: Command, context: () => CliContext): void {
  command
    .addHelpText(
      'after',
      `
Writes a commented waybill.config.ts, the data folder .waybill/, and an example task. Never overwrites anything. The repo
local is there for what is released; every command uses it unless --repo is given.

Examples:
  $ waybill init
  $ waybill init --workspace path/to/repo`,
    )
    .action(async () => {
      const { initializeWorkspace } = await import('../../../domain/workspace/initialize-workspace.ts');
      const done = await initializeWorkspace(context().start);
      await context().result(
        () => ({ ...done, repo: localRepo }),
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
    `  ${dim('repo')} ${localRepo}`,
  ];
  if (created.includes('waybill.config.ts')) {
    lines.push('', `Try it: ${bold(`waybill run --workflow hello --input '"you"'`)}`);
  }
  return lines.join('\n');
}
