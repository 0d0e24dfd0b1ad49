import type { Command } from 'commander';
import type { ToolDetail, ToolList } from '../../../contract/api/tools.ts';
import { idArgument } from '../argument-parsers.ts';
import type { CliContext } from '../cli-context.ts';
import { printableLine } from '../printable.ts';
import { table } from '../table.ts';

export function define(command: Command, context: () => CliContext): void {
  command.addHelpText(
    'after',
    `
A tool is a description in the workspace: waybill.tools/<id>/tool.json.

Examples:
  $ waybill tools
  $ waybill tools show resize --json | jq .descriptor.inputSchema`,
  );
  command
    .command('list', { isDefault: true })
    .description('list the tools, those that cannot be used too')
    .addHelpText('after', '\nExamples:\n  $ waybill tools list --json')
    .action(async () => {
      const list = await context().withProgram((program) => program.listTools());
      await context().result(
        () => list,
        () => listText(context(), list),
      );
    });
  command
    .command('show')
    .description('show a tool with its schemas')
    .argument('<tool>', 'the tool', idArgument('name'))
    .addHelpText('after', '\nExamples:\n  $ waybill tools show resize')
    .action(async (id: string) => {
      const tool = await context().withProgram((program) => program.showTool(id));
      await context().result(
        () => tool,
        () => toolText(context(), tool),
      );
    });
}

function listText(context: CliContext, { tools, invalid }: ToolList): string {
  const { dim, red, yellow } = context.palette;
  const rows = tools.map(({ id, version, kind, sideEffects, title, available, reason }) => [
    available ? id : yellow(id),
    version,
    kind,
    sideEffects,
    printableLine(available ? title : `not available: ${reason ?? 'no reason is given'}`, 100),
  ]);
  const head = ['tool', 'version', 'kind', 'side effects', 'title'].map(dim);
  const shown = rows.length === 0 ? ['No tools.'] : [table(head, rows)];
  const broken = invalid.map(({ file, reason }) => `${red('invalid:')} ${printableLine(`${file}: ${reason}`)}`);
  return [...shown, ...broken].join('\n');
}

function toolText(context: CliContext, tool: ToolDetail): string {
  const { bold, dim, yellow } = context.palette;
  const { descriptor } = tool;
  const facts: (readonly [string, string | null])[] = [
    ['title', tool.title],
    ['about', tool.description],
    ['available', tool.available ? 'yes' : yellow(`no: ${tool.reason ?? 'no reason is given'}`)],
    [tool.kind, descriptor.command?.join(' ') ?? descriptor.module ?? null],
    ['effects', tool.sideEffects],
    ['needs', descriptor.permissions.length === 0 ? null : descriptor.permissions.join(', ')],
    ['timeout', `${descriptor.timeoutMs / 1000} s`],
    ['env', descriptor.allowEnv.length === 0 ? null : descriptor.allowEnv.join(', ')],
    ['artifacts', descriptor.artifacts.length === 0 ? null : descriptor.artifacts.join(', ')],
    ['input', JSON.stringify(descriptor.inputSchema)],
    ['output', JSON.stringify(descriptor.outputSchema)],
    ['digest', tool.descriptionDigest],
  ];
  const lines = facts.flatMap(([name, fact]) =>
    fact === null ? [] : [`  ${dim(name.padEnd(9))} ${printableLine(fact)}`],
  );
  return [`${bold(tool.id)} ${tool.version}`, ...lines].join('\n');
}
