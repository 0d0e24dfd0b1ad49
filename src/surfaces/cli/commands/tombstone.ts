import type { Command } from 'commander';
import { versionView } from '../../../views/registry.ts';
import { nonEmpty } from '../argument-parsers.ts';
import type { CliContext } from '../cli-context.ts';
import { printableLine } from '../printable.ts';
import { type RepoOption, takesRepo, typedCoordinate, withRegistry } from '../registry-command.ts';
import { usageError } from '../usage-error.ts';

export function define(command: Command, context: () => CliContext): void {
  takesRepo(command)
    .argument('<version>', 'NAME@VERSION: a version, not a tag', nonEmpty)
    .requiredOption('--reason <text>', 'why, for whoever asks for it later; kept for ever', nonEmpty)
    .addHelpText(
      'after',
      `
There is no way back: the coordinate stays taken, nothing of it can be downloaded any more, and its bytes go when
registry.tombstoneDays are over, unless a run has them too. Its digest, and who withdrew it and why, stay on record.

Examples:
  $ waybill tombstone my-tool@1.2.0 --reason "built from the wrong branch"`,
    )
    .action(async (text: string, { repo, reason }: RepoOption & { readonly reason: string }) => {
      const [{ findVersion }, { tombstoneVersion }] = await Promise.all([
        import('../../../domain/registry/packages/find-version.ts'),
        import('../../../domain/registry/tombstone/tombstone-version.ts'),
      ]);
      const { type, name, version } = await typedCoordinate(text);
      if (version === null) throw usageError(`${text} does not say which version`, `Write ${text}@VERSION.`);
      const done = await withRegistry(context(), async ({ registry, actor }) => {
        const { versionId } = await findVersion(registry, repo, { type, name, version });
        return await tombstoneVersion(registry, { repo, versionId, reason }, actor);
      });
      const shown = versionView(done.version);
      await context().result(
        () => ({ idempotent: done.idempotent, version: shown }),
        () =>
          done.idempotent
            ? `${text} was tombstoned before: ${printableLine(shown.tombstoneReason ?? '', 400)}`
            : `${text} is tombstoned`,
      );
    });
}
