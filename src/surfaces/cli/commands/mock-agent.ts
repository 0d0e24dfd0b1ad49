import type { Command } from 'commander';
import { nonEmpty } from '../argument-parsers.ts';
import type { CliContext } from '../cli-context.ts';

export function define(command: Command, context: () => CliContext): void {
  command
    .requiredOption('--script <file>', 'what it does: answers by action, delays, failures', nonEmpty)
    .addHelpText(
      'after',
      `
Speaks waybill.agent.v1 on standard input and output, so it can stand in for any agent of a configuration.

Examples:
  agents: { builder: { command: ['waybill', 'mock-agent', '--script', 'builder.json'] } }`,
    )
    .action(async (options: { readonly script: string }) => {
      context().exitCode = await context().host.tools.mockAgent(context().path(options.script));
    });
}
