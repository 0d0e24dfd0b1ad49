import type { Command } from 'commander';
import { quarantinedView } from '../../../views/registry.ts';
import type { CliContext } from '../cli-context.ts';
import { printableLine } from '../printable.ts';
import {
  moreLine,
  type PageOptions,
  type RepoOption,
  shortTime,
  takesPage,
  takesRepo,
  withRegistry,
} from '../registry-command.ts';
import { table } from '../table.ts';

interface Options extends PageOptions, RepoOption {
  readonly released?: true;
}

export function define(command: Command, context: () => CliContext): void {
  takesPage(takesRepo(command))
    .option('--released', 'what was released too')
    .addHelpText(
      'after',
      `
A version is held back by a rule, and released when the rule is removed: see \`waybill rules\`.

Examples:
  $ waybill quarantine
  $ waybill quarantine --released --json`,
    )
    .action(async ({ repo, released, limit, cursor }: Options) => {
      const { listQuarantine } = await import('../../../domain/registry/policy/list-quarantine.ts');
      const page = await withRegistry(context(), ({ registry }) =>
        listQuarantine(registry, { repo, released: released === true, limit, cursor: cursor ?? null }),
      );
      const shown = { quarantine: page.quarantine.map(quarantinedView), nextCursor: page.nextCursor };
      const { dim } = context().palette;
      const rows = shown.quarantine.map((held) => [
        printableLine(`${held.type}:${held.name}@${held.version}`, 120),
        held.ruleId,
        shortTime(held.since),
        shortTime(held.releasedAt),
        printableLine(held.why, 100),
      ]);
      await context().result(
        () => shown,
        () =>
          rows.length === 0
            ? 'Nothing is held back.'
            : table(['version', 'rule', 'since (UTC)', 'released (UTC)', 'why'].map(dim), rows) +
              moreLine(context(), shown.nextCursor),
      );
    });
}
