import type { Command } from 'commander';
import type { Repo } from '../../../contract/api/repos.ts';
import { listedRepoView, repoView } from '../../../views/registry.ts';
import { idArgument } from '../argument-parsers.ts';
import type { CliContext } from '../cli-context.ts';
import { printableLine } from '../printable.ts';
import { moreLine, type PageOptions, shortTime, takesPage, withRegistry } from '../registry-command.ts';
import { table } from '../table.ts';

export function define(command: Command, context: () => CliContext): void {
  command.addHelpText(
    'after',
    `
A repo holds packages, and has roles of its own. The repo local is always there: every command uses it unless told another.

Examples:
  $ waybill repos
  $ waybill repos make team --description "What the team releases"`,
  );
  takesPage(command.command('list', { isDefault: true }))
    .description('list the repos')
    .addHelpText('after', '\nExamples:\n  $ waybill repos list --json')
    .action(async ({ limit, cursor }: PageOptions) => {
      const { listRepos } = await import('../../../domain/registry/repos/list-repos.ts');
      const page = await withRegistry(context(), ({ registry }) =>
        listRepos(registry, { readable: 'all', limit, cursor: cursor ?? null }),
      );
      const shown = { repos: page.repos.map(listedRepoView), nextCursor: page.nextCursor };
      const { dim } = context().palette;
      const rows = shown.repos.map(({ key, createdAt, createdBy, description }) => [
        key,
        createdBy === 'waybill' ? '' : shortTime(createdAt),
        printableLine(createdBy, 60),
        printableLine(description, 80),
      ]);
      await context().result(
        () => shown,
        () =>
          table(['repo', 'made (UTC)', 'by', 'what it is for'].map(dim), rows) + moreLine(context(), shown.nextCursor),
      );
    });
  command
    .command('make')
    .description('make a repo')
    .argument('<key>', 'what it is called: lower case letters, digits and "-"', idArgument('repo'))
    .option('--description <text>', 'what it is for', '')
    .addHelpText('after', '\nExamples:\n  $ waybill repos make team --description "What the team releases"')
    .action(async (key: string, { description }: { readonly description: string }) => {
      const { makeRepo } = await import('../../../domain/registry/repos/make-repo.ts');
      const made = await withRegistry(context(), ({ registry, actor }) =>
        makeRepo(registry, { key, description }, actor),
      );
      await context().result(
        () => repoView(made),
        () => `The repo ${key} is there: use it with --repo ${key}.`,
      );
    });
  command
    .command('show')
    .description('show a repo, and what is in it by number')
    .argument('[key]', 'the repo', idArgument('repo'), 'local')
    .addHelpText('after', '\nExamples:\n  $ waybill repos show local')
    .action(async (key: string) => {
      const { showRepo } = await import('../../../domain/registry/repos/show-repo.ts');
      const shown = repoView(await withRegistry(context(), ({ registry }) => showRepo(registry, key)));
      await context().result(
        () => shown,
        () => repoText(context(), shown),
      );
    });
  command
    .command('delete')
    .description('delete a repo that holds no version')
    .argument('<key>', 'the repo', idArgument('repo'))
    .addHelpText('after', '\nExamples:\n  $ waybill repos delete team')
    .action(async (key: string) => {
      const { deleteRepo } = await import('../../../domain/registry/repos/delete-repo.ts');
      const was = repoView(
        await withRegistry(context(), ({ registry, actor }) => deleteRepo(registry, { key }, actor)),
      );
      await context().result(
        () => was,
        () => `The repo ${key} is gone.`,
      );
    });
}

function repoText(context: CliContext, repo: Repo): string {
  const { bold, dim } = context.palette;
  const { versions, blobs } = repo;
  const facts = [
    ['what for', printableLine(repo.description, 200)],
    ['packages', String(repo.packages)],
    ['versions', `${versions.published} published, ${versions.draft} drafts, ${versions.tombstoned} tombstoned`],
    ['blobs', `${blobs.count}, ${blobs.size} bytes`],
  ].map(([name = '', fact = '']) => `  ${dim(name.padEnd(9))} ${fact}`);
  return [bold(repo.key), ...facts].join('\n');
}
