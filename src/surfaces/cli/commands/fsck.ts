import type { Command } from 'commander';
import { damageKinds, type FsckReport, type Remark } from '../../../domain/registry/fsck/damage.ts';
import type { CliContext } from '../cli-context.ts';
import { CountingLine } from '../counting-line.ts';
import { printableLine } from '../printable.ts';
import { withRegistry } from '../registry-command.ts';
import { sizeText } from '../size-text.ts';

export function define(command: Command, context: () => CliContext): void {
  command
    .addHelpText(
      'after',
      `
Reads all bytes and rows of the registry, the guards of the database and the audit, and changes nothing. Exits with 1 when
something is damaged. Runs are verified one by one: waybill verify RUN

Examples:
  $ waybill fsck
  $ waybill fsck --json | jq -r '.damage[] | [.kind, .where] | @tsv'`,
    )
    .action(async () => {
      const { checkRegistry } = await import('../../../domain/registry/fsck/fsck.ts');
      const report = await context().stoppable((stop) =>
        withRegistry(context(), async ({ registry }) => {
          await using line = new CountingLine(context());
          const progress = (what: string, count: number) => line.count(what, count);
          return await checkRegistry(registry, { signal: stop.signal, progress });
        }),
      );
      const explained = report.damage.map((each) => ({ ...each, ...damageKinds[each.kind] }));
      await context().result(
        () => ({ ...report, damage: explained }),
        () => text(context(), report),
      );
      if (!report.intact && context().stoppedWith === undefined) context().exitCode = 1;
    });
}

function text({ palette }: CliContext, report: FsckReport): string {
  const { bold, dim, green, red, yellow } = palette;
  const lines: string[] = [];
  for (const [kind, found] of Map.groupBy(report.damage, (each) => each.kind)) {
    const { means, todo } = damageKinds[kind];
    lines.push(`${red(kind)} ${bold(means)}`);
    for (const { where, found: what } of found)
      lines.push(`  ${printableLine(where, 160)}: ${printableLine(what, 300)}`);
    lines.push(`  ${todo}`, '');
  }
  if (report.damageCount > report.damage.length) {
    lines.push(yellow(`... and ${report.damageCount - report.damage.length} more`), '');
  }
  for (const remark of report.remarks) lines.push(remarkText(remark));
  const counts = Object.entries(report.checked).map(([what, count]) => `${count} ${what}`);
  lines.push(dim(`looked at ${counts.join(', ')}`));
  const verdict = report.intact ? green('nothing is damaged') : red(`damaged: ${report.damageCount}`);
  lines.push(report.complete ? verdict : yellow(`stopped before everything was looked at; so far: ${verdict}`));
  return lines.join('\n');
}

function remarkText({ kind, count, bytes }: Remark): string {
  switch (kind) {
    case 'unreferenced':
      return `Nothing refers to ${count} blobs (${sizeText(bytes)}): waybill gc`;
    case 'staged':
      return `${count} uploads are under way, or expire (${sizeText(bytes)})`;
    default:
      return kind satisfies never;
  }
}
