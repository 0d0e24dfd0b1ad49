import { type Command, InvalidArgumentError } from 'commander';
import { type AuditEntry, auditOutcomes } from '../../../contract/api/audit.ts';
import { type AuditAction, auditActions } from '../../../contract/audit.ts';
import type { Micros } from '../../../platform/clock/clock.ts';
import { parseTime } from '../../../platform/clock/parse-time.ts';
import type { AuditFilter } from '../../../platform/journal/list-audit.ts';
import type { AuditChainReport } from '../../../platform/journal/verify-audit-chain.ts';
import { nonEmpty, wholeNumber } from '../argument-parsers.ts';
import type { CliContext } from '../cli-context.ts';
import { printableLine } from '../printable.ts';
import { table } from '../table.ts';

type Outcome = (typeof auditOutcomes)[number];

interface ListOptions {
  readonly actor?: string;
  readonly action?: AuditAction;
  readonly resource?: string;
  readonly resourcePrefix?: string;
  readonly outcome?: Outcome;
  readonly since?: Micros;
  readonly until?: Micros;
  readonly limit: number;
  readonly cursor?: string;
}

export function define(command: Command, context: () => CliContext): void {
  command.addHelpText(
    'after',
    `
Examples:
  $ waybill audit --resource run-20261122-210500-0a1b2c3d
  $ waybill audit --action package.version.published --since 2026-11-01T00:00:00Z
  $ waybill audit verify`,
  );
  command
    .command('list', { isDefault: true })
    .description('list who did what, newest first')
    .option('--actor <actor>', 'who: local:1000, token:ci ...', nonEmpty)
    .option('--action <action>', 'what: run.queued, token.issued ...', action)
    .option('--resource <resource>', 'to what: a run, a package, a token ...', nonEmpty)
    .option('--resource-prefix <text>', 'what the resource begins with', nonEmpty)
    .option('--outcome <outcome>', `how it ended: ${auditOutcomes.join(', ')}`, outcome)
    .option('--since <time>', 'from this time on (RFC 3339)', time)
    .option('--until <time>', 'before this time (RFC 3339)', time)
    .option('--limit <count>', 'how many at most', wholeNumber(1, 200), 50)
    .option('--cursor <cursor>', 'go on where the page before ended', nonEmpty)
    .addHelpText('after', '\nExamples:\n  $ waybill audit --outcome refused --json')
    .action(async (options: ListOptions) => {
      const filter: AuditFilter = options;
      const { listAudit } = await import('../../../platform/journal/list-audit.ts');
      const { auditListView } = await import('../../../views/audit.ts');
      const page = await context().withOwnProgram(async (program) => {
        const { registry } = await program.registry();
        return auditListView(await listAudit(registry.store, filter));
      });
      await context().result(
        () => page,
        () => listText(context(), page.records),
      );
      if (!context().json && page.nextCursor !== null) await context().note(`more: --cursor ${page.nextCursor}`);
    });
  command
    .command('verify')
    .description('prove that no record was changed, removed or put in: walks the hash chain')
    .addHelpText('after', '\nExamples:\n  $ waybill audit verify --json')
    .action(async () => {
      const { sealAudit } = await import('../../../platform/journal/seal-audit.ts');
      const { verifyAuditChain } = await import('../../../platform/journal/verify-audit-chain.ts');
      const report = await context().withOwnProgram(async (program) => {
        const { registry } = await program.registry();
        // A chain that has lost its end cannot be sealed: that is for verify to say.
        await sealAudit(registry.store).catch(() => 0);
        return verifyAuditChain(registry.store);
      });
      await context().result(
        () => report,
        () => reportText(context(), report),
      );
      if (!report.intact) context().exitCode = 1;
    });
}

function listText(context: CliContext, records: readonly AuditEntry[]): string {
  const { dim, red, yellow } = context.palette;
  if (records.length === 0) return 'No records.';
  const head = ['time (UTC)', 'actor', 'action', 'resource', 'outcome'].map(dim);
  const rows = records.map((record) => {
    const why = record.reason === null ? '' : `: ${record.reason}`;
    const said = printableLine(`${record.outcome}${why}`, 100);
    const ended = record.outcome === 'succeeded' ? said : record.outcome === 'failed' ? red(said) : yellow(said);
    const what = [record.actor, record.action, record.resource].map((text) => printableLine(text, 80));
    return [record.at.slice(0, 19).replace('T', ' '), ...what, ended];
  });
  return table(head, rows);
}

function reportText(context: CliContext, report: AuditChainReport): string {
  const { green, red } = context.palette;
  const { intact, checked, unsealed, head, problems, problemCount } = report;
  const waits = unsealed === 0 ? '' : `, ${unsealed} not sealed yet`;
  const counts = `${checked} ${checked === 1 ? 'record' : 'records'} checked${waits}`;
  if (intact) {
    const end = head === null || head.position === 0 ? '' : `\nends at ${head.position} with ${head.digest}`;
    return `${green('intact')}: ${counts}${end}`;
  }
  const lines = problems.map(
    ({ position, problem, message }) => `  ${position}  ${problem}: ${printableLine(message)}`,
  );
  const more = problemCount > problems.length ? [`  ... and ${problemCount - problems.length} more`] : [];
  return [`${red('broken')}: ${counts}`, ...lines, ...more].join('\n');
}

function action(text: string): AuditAction {
  const found = auditActions.find((each) => each === text);
  if (found !== undefined) return found;
  throw new InvalidArgumentError(`Known actions: ${auditActions.join(', ')}.`);
}

function outcome(text: string): Outcome {
  const found = auditOutcomes.find((each) => each === text);
  if (found !== undefined) return found;
  throw new InvalidArgumentError(`Known outcomes: ${auditOutcomes.join(', ')}.`);
}

function time(text: string): Micros {
  const shape = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d))?$/;
  const at = shape.test(text) ? parseTime(text) : Number.NaN;
  if (!Number.isNaN(at)) return at;
  throw new InvalidArgumentError('It must be a time such as 2026-11-22 or 2026-11-22T21:05:00Z.');
}
