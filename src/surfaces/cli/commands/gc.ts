import type { Command } from 'commander';
import type { Amount, CollectionReport } from '../../../domain/registry/collection/collection-report.ts';
import type { CliContext } from '../cli-context.ts';
import { CountingLine } from '../counting-line.ts';
import { withRegistry } from '../registry-command.ts';
import { sizeText } from '../size-text.ts';
import { table } from '../table.ts';

export function define(command: Command, context: () => CliContext): void {
  command
    .option('--apply', 'really remove it')
    .addHelpText(
      'after',
      `
Kept is what a draft, a version, a run or a running upload refers to, and all that was put within \`registry.graceHours\`.
It may be stopped at any time, and goes on the next time; a daemon may be at work meanwhile.

Examples:
  $ waybill gc
  $ waybill gc --apply`,
    )
    .action(async ({ apply = false }: { readonly apply?: true | false }) => {
      const { collectGarbage } = await import('../../../domain/registry/collection/collect-garbage.ts');
      const report = await context().stoppable((stop) =>
        withRegistry(context(), async ({ registry, actor }) => {
          await using line = new CountingLine(context());
          const progress = (count: number) => line.count('files looked at', count);
          return await collectGarbage(registry, { apply, signal: stop.signal, progress }, actor);
        }),
      );
      await context().result(
        () => report,
        () => text(context(), report),
      );
    });
}

function text(
  { palette }: CliContext,
  { applied, complete, untouchedSince, blobs, repoBlobs, snapshots }: CollectionReport,
) {
  const { dim, yellow } = palette;
  const row = (what: string, { count, bytes }: Amount, why: string) => [what, String(count), sizeText(bytes), why];
  const gone = applied ? 'removed' : 'would be removed';
  const rows = [
    row('kept', blobs.kept.repo, 'readable in a repo, or a file of a version'),
    row('kept', blobs.kept.run, 'of a run'),
    row('kept', blobs.kept.recent, `put since ${untouchedSince}, or wanted by a step at work`),
    row(gone, applied ? blobs.removed : blobs.collectable, 'nothing refers to it'),
    ...(blobs.vanished.count === 0 ? [] : [row('vanished', blobs.vanished, 'another collector was faster')]),
    row('all', blobs.total, 'before'),
  ];
  const rowsGone = applied ? repoBlobs.removed : repoBlobs.collectable;
  const trees = applied ? snapshots.removed : snapshots.collectable;
  const lines = [
    table(['blobs', 'files', 'size', 'why'].map(dim), rows),
    '',
    `${rowsGone.count} of ${repoBlobs.total.count} places in repos ${applied ? 'were freed' : 'would be freed'}, and ${trees} lists of trees`,
  ];
  if (!complete) lines.push(yellow('It was stopped before it had looked at everything: run it again.'));
  if (!applied) lines.push(dim('Nothing was changed: waybill gc --apply'));
  return lines.join('\n');
}
