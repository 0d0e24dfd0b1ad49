import type { Command } from 'commander';
import type { Tag } from '../../../contract/api/tags.ts';
import { tagView } from '../../../views/registry.ts';
import { nonEmpty } from '../argument-parsers.ts';
import type { CliContext } from '../cli-context.ts';
import { printableLine } from '../printable.ts';
import { type RepoOption, shortTime, takesRepo, typedCoordinate, withRegistry } from '../registry-command.ts';
import { table } from '../table.ts';
import { usageError } from '../usage-error.ts';

export function define(command: Command, context: () => CliContext): void {
  command.addHelpText(
    'after',
    `
A tag points to a published version of its package, and can be moved. The tag latest is the version that was published
last, whatever its number, unless somebody has set it.

Examples:
  $ waybill tags list my-tool
  $ waybill tags set my-tool@1.2.0 stable`,
  );
  takesRepo(command.command('list'))
    .description('list the tags of a package')
    .argument('<package>', 'NAME or TYPE:NAME', nonEmpty)
    .addHelpText('after', '\nExamples:\n  $ waybill tags list my-tool --json')
    .action(async (text: string, { repo }: RepoOption) => {
      const { listTags } = await import('../../../domain/registry/tags/list-tags.ts');
      const { type, name } = await typedCoordinate(text);
      const tags = await withRegistry(context(), ({ registry }) => listTags(registry, { repo, type, name }));
      const shown = { tags: tags.map(tagView) };
      await context().result(
        () => shown,
        () => listText(context(), shown.tags),
      );
    });
  takesRepo(command.command('set'))
    .description('make a tag point to a published version')
    .argument('<version>', 'NAME@VERSION', nonEmpty)
    .argument('<tag>', 'the tag', nonEmpty)
    .addHelpText('after', '\nExamples:\n  $ waybill tags set my-tool@1.2.0 stable')
    .action(async (text: string, tag: string, { repo }: RepoOption) => {
      const { setTag } = await import('../../../domain/registry/tags/set-tag.ts');
      const { type, name, version } = await typedCoordinate(text);
      if (version === null) throw usageError(`${text} does not say which version`, `Write ${text}@VERSION.`);
      const set = await withRegistry(context(), ({ registry, actor }) =>
        setTag(registry, { repo, type, name, version, tag }, actor),
      );
      await context().result(
        () => ({ ...tagView(set), changed: set.changed }),
        () => `${name}@${tag} is ${set.version}${set.changed ? '' : ', as before'}`,
      );
    });
  takesRepo(command.command('remove'))
    .description('remove a tag; the versions stay')
    .argument('<package>', 'NAME or TYPE:NAME', nonEmpty)
    .argument('<tag>', 'the tag', nonEmpty)
    .addHelpText('after', '\nExamples:\n  $ waybill tags remove my-tool stable')
    .action(async (text: string, tag: string, { repo }: RepoOption) => {
      const { removeTag } = await import('../../../domain/registry/tags/set-tag.ts');
      const { type, name } = await typedCoordinate(text);
      const was = await withRegistry(context(), ({ registry, actor }) =>
        removeTag(registry, { repo, type, name, tag }, actor),
      );
      await context().result(
        () => tagView(was),
        () => `${name} has no tag ${tag} any more; it was ${was.version}`,
      );
    });
}

function listText(context: CliContext, tags: readonly Tag[]): string {
  if (tags.length === 0) return 'No tags: nothing is published.';
  const { dim } = context.palette;
  const rows = tags.map(({ tag, version, updatedAt, updatedBy, automatic }) => [
    tag,
    printableLine(version, 60),
    shortTime(updatedAt),
    automatic ? dim('published last') : printableLine(updatedBy, 60),
  ]);
  return table(['tag', 'version', 'since (UTC)', 'by'].map(dim), rows);
}
