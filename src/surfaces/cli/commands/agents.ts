import { statSync } from 'node:fs';
import type { Command } from 'commander';
import type { CliContext } from '../cli-context.ts';
import { printableLine } from '../printable.ts';
import type { AgentReport } from '../program.ts';
import { usageError } from '../usage-error.ts';

export function define(command: Command, context: () => CliContext): void {
  command.addHelpText('after', '\nExamples:\n  $ waybill agents check -- node agents/builder.mjs');
  command
    .command('check')
    .description('run the conformance cases of waybill.agent.v1 against an agent')
    .usage('[options] -- <command> [arguments...]')
    .argument('<command...>', 'how the agent is started, behind --')
    .addHelpText(
      'after',
      `
Examples:
  $ waybill agents check -- node agents/builder.mjs`,
    )
    .action(async ([program, ...rest]: readonly string[]) => {
      if (program === undefined) throw usageError('no agent is named', 'Name its command behind --.');
      await context().stoppable(async (stop) => {
        const argv = [
          program.includes('/') ? context().path(program) : program,
          ...rest.map((argument) => placed(context(), argument)),
        ] as const;
        const report = await context().host.tools.checkAgent(argv, { signal: stop.signal });
        const passed = report.cases.length > 0 && report.cases.every((each) => each.passed);
        await context().result(
          () => ({ passed, ...report }),
          () => text(context(), report),
        );
        if (!passed) context().exitCode = 1;
      });
    });
}

/** The check works in a folder of its own, so a file that was named from here is named by its whole path. */
function placed(context: CliContext, argument: string): string {
  const path = context.path(argument);
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true ? path : argument;
}

function text(context: CliContext, { agent, cases }: AgentReport): string {
  const { green, red, yellow, bold } = context.palette;
  const checked = cases.filter((each) => each.checked !== false);
  const good = checked.filter(({ passed }) => passed).length;
  const left = cases.length - checked.length;
  return [
    ...(agent === null ? [] : [bold(printableLine(`${agent.name} ${agent.version}`))]),
    ...cases.map(({ name, passed, checked: tried, message }) => {
      const why = message === null ? '' : `: ${printableLine(message)}`;
      if (tried === false) return `  ${yellow('-')} ${name}${why}`;
      return passed ? `  ${green('✓')} ${name}` : `  ${red('✗')} ${name}${why}`;
    }),
    `${good} of ${checked.length} cases passed${left === 0 ? '' : `, ${left} not checked`}`,
  ].join('\n');
}
