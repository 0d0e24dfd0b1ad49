import { type Command, Option } from 'commander';
import { newRuleSchema, type Rule, ruleBlocks, ruleKindNames } from '../../../contract/api/policy.ts';
import { problemsText, shapeProblems } from '../../../contract/shape-problems.ts';
import { ruleView } from '../../../views/registry.ts';
import { idArgument, nonEmpty, repeated, wholeNumber } from '../argument-parsers.ts';
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
import { usageError } from '../usage-error.ts';

interface Where extends RepoOption {
  readonly everywhere?: true;
}

interface ListOptions extends Where, PageOptions {
  readonly removed?: true;
}

interface MakeOptions extends Where {
  readonly blocks: (typeof ruleBlocks)[number];
  readonly reason: string;
  readonly pattern?: readonly string[];
  readonly digest?: readonly string[];
  readonly bytes?: number;
  readonly of: 'entry' | 'version';
}

const everywhere = 'of every repo, instead of one';

export function define(command: Command, context: () => CliContext): void {
  command.addHelpText(
    'after',
    `
A rule decides by what a version is, never by who asks: what may be published, and what of the published may be
downloaded. It is ended, never changed.

  name        --pattern 'npm:@team/*'      over TYPE:NAME; * is any characters, ? is one
  digest      --digest sha256:...          of the version, its manifest, or any of its files; may be repeated
  size        --bytes 1000000 --of entry   any file (or the whole version) larger than this
  media-type  --pattern 'text/*'           of any file or the manifest; may be repeated
  unattested                               without a signed attestation
  no-run                                   not made by a run
  dirty                                    made in a checkout with changes, or nobody knows

Examples:
  $ waybill rules
  $ waybill rules make unattested --blocks publish --reason "releases are signed"
  $ waybill rules make name --pattern "*:left-pad" --blocks both --reason "withdrawn upstream"`,
  );
  takesPage(takesRepo(command.command('list', { isDefault: true })))
    .description('list the rules that hold in a repo')
    .option('--everywhere', 'only those of every repo')
    .option('--removed', 'those that were removed too')
    .addHelpText('after', '\nExamples:\n  $ waybill rules list --removed --json')
    .action(async (options: ListOptions) => {
      const { listRules } = await import('../../../domain/registry/policy/list-rules.ts');
      const { removed, limit, cursor } = options;
      const page = await withRegistry(context(), ({ registry }) =>
        listRules(registry, { repo: repoOf(options), removed: removed === true, limit, cursor: cursor ?? null }),
      );
      const shown = { rules: page.rules.map(ruleView), nextCursor: page.nextCursor };
      await context().result(
        () => shown,
        () => listText(context(), shown.rules) + moreLine(context(), shown.nextCursor),
      );
    });
  takesRepo(command.command('make'))
    .description('make a rule; one that blocks downloads holds back what is published already')
    .argument('<kind>', `what it looks at: ${ruleKindNames.join(', ')}`, nonEmpty)
    .addOption(new Option('--blocks <what>', 'what it keeps versions from').choices(ruleBlocks).makeOptionMandatory())
    .requiredOption('--reason <text>', 'for whoever is refused', nonEmpty)
    .option('--pattern <text>', 'for name and media-type', repeated(nonEmpty))
    .option('--digest <digest>', 'for digest', repeated(idArgument('digest')))
    .option('--bytes <n>', 'for size', wholeNumber(0))
    .addOption(new Option('--of <what>', 'for size').choices(['entry', 'version']).default('version'))
    .option('--everywhere', everywhere)
    .addHelpText('after', '\nExamples:\n  $ waybill rules make no-run --blocks publish --reason "only from runs"')
    .action(async (kind: string, options: MakeOptions) => {
      const { makeRule } = await import('../../../domain/registry/policy/make-rule.ts');
      const rule = ruleOf(kind, options);
      const made = await withRegistry(context(), ({ registry, actor }) =>
        makeRule(registry, { repo: repoOf(options), rule }, actor),
      );
      const { ruleId } = made.rule;
      await context().result(
        () => ({ rule: ruleView(made.rule), created: made.created, quarantined: made.quarantined }),
        () => `${ruleId}${made.created ? '' : ' stands already'}; it holds back ${countOf(made.quarantined)}`,
      );
    });
  takesRepo(command.command('remove'))
    .description('remove a rule, and release what it held back')
    .argument('<rule>', 'its id, as `rules list` shows it', idArgument('policyRule'))
    .option('--everywhere', everywhere)
    .addHelpText('after', '\nExamples:\n  $ waybill rules remove rule_0123456789abcdef')
    .action(async (ruleId: string, options: Where) => {
      const { removeRule } = await import('../../../domain/registry/policy/remove-rule.ts');
      const removed = await withRegistry(context(), ({ registry, actor }) =>
        removeRule(registry, { repo: repoOf(options), ruleId }, actor),
      );
      await context().result(
        () => ({ rule: ruleView(removed.rule), released: removed.released }),
        () =>
          removed.idempotent
            ? `${ruleId} was removed before: nothing was done`
            : `${ruleId} is removed; it held back ${countOf(removed.released)}`,
      );
    });
}

function countOf(versions: number): string {
  return versions === 1 ? '1 published version' : `${versions} published versions`;
}

function repoOf({ repo, everywhere: every }: Where): string | null {
  return every === true ? null : repo;
}

/** @throws WaybillError `invalid_argument` naming what is missing or too much */
function ruleOf(kind: string, { blocks, reason, pattern, digest, bytes, of }: MakeOptions) {
  const [first, ...others] = pattern ?? [];
  if (kind === 'name' && others.length > 0) throw usageError('a rule of the kind name has one --pattern');
  const parameters = {
    ...(pattern === undefined ? {} : kind === 'name' ? { pattern: first } : { patterns: pattern }),
    ...(digest === undefined ? {} : { digests: digest }),
    ...(bytes === undefined ? {} : { bytes, of }),
  };
  const parsed = newRuleSchema.safeParse({ kind, parameters, blocks, reason });
  if (parsed.success) return parsed.data;
  throw usageError(
    `this is no rule: ${problemsText(shapeProblems(parsed.error.issues))}`,
    'See `waybill rules --help`.',
  );
}

function listText(context: CliContext, rules: readonly Rule[]): string {
  if (rules.length === 0) return 'No rules: everything may be published and downloaded.';
  const { dim } = context.palette;
  const rows = rules.map((rule) => [
    rule.removedAt === null ? rule.ruleId : dim(rule.ruleId),
    rule.repo ?? 'every repo',
    rule.kind,
    printableLine(Object.keys(rule.parameters).length === 0 ? '' : JSON.stringify(rule.parameters), 80),
    rule.blocks,
    shortTime(rule.removedAt),
    printableLine(rule.reason, 80),
  ]);
  return table(['rule', 'repo', 'kind', 'parameters', 'blocks', 'removed (UTC)', 'reason'].map(dim), rows);
}
