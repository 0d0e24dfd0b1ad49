import type { Configuration } from '../contract/configuration.ts';
import type { JsonObject } from '../contract/json.ts';
import type { Engine } from '../domain/runs/engine.ts';
import { removeRuns } from '../domain/runs/retention/remove-runs.ts';
import type { RetentionReport } from '../domain/runs/retention/retention-report.ts';
import type { RunBlocker } from '../domain/runs/retention/run-blocker.ts';
import type { ErrorStore } from '../platform/envelopes/error-store.ts';
import type { AuditRecord } from '../platform/journal/audit.ts';

export interface RetentionParts {
  readonly engine: Pick<Engine, 'store' | 'clock'>;
  readonly errorStore: ErrorStore;
  readonly configuration: Pick<Configuration, 'retention'>;
  /** Who needs runs for longer than the configuration keeps them. */
  readonly blockers?: readonly RunBlocker[];
}

/**
 * Removes what is past its time: runs, error envelopes and spans. Says of each how much went, how much is left, and by
 * which rule.
 * @throws WaybillError what the store or a blocker says; what was removed until then stays removed
 */
export async function runRetention(
  { engine, errorStore, configuration, blockers = [] }: RetentionParts,
  options: { readonly dryRun: boolean; readonly actor: string; readonly signal?: AbortSignal },
): Promise<RetentionReport> {
  const { runDays, runCount, envelopeDays } = configuration.retention;
  const { dryRun, signal } = options;
  const runs = await removeRuns(engine, { runDays, runCount, blockers, ...options });
  const errors = await errorStore.cleanup({
    keepDays: envelopeDays,
    dryRun,
    ...(signal === undefined ? {} : { signal }),
  });
  const forDays = `kept for ${days(envelopeDays)}`;
  return {
    dryRun,
    tables: [
      { table: 'run', removed: runs.removed, kept: runs.kept, reason: runRule(runDays, runCount) },
      { table: 'infra_error_events', removed: errors.removed, kept: errors.kept, reason: forDays },
      { table: 'span', removed: errors.removedSpans, kept: errors.keptSpans, reason: forDays },
    ],
    blocked: runs.blocked,
  };
}

/** The audit record of a pass. Each run that was removed has one of its own. */
export function retentionAudit(report: RetentionReport, from: Pick<AuditRecord, 'at' | 'actor'>): AuditRecord {
  const tables: JsonObject = Object.fromEntries(
    report.tables.map(({ table, removed, kept, reason }) => [table, { removed, kept, reason }]),
  );
  const details = { tables, blocked: report.blocked.length };
  return { ...from, action: 'retention.passed', resource: 'retention', outcome: 'succeeded', details };
}

/** One line for a log: `retention removed 3 of 10 run, 0 of 2 infra_error_events ...; 1 run is kept: ...`. */
export function retentionLine({ tables, blocked }: RetentionReport): string {
  const counts = tables.map(({ table, removed, kept }) => `${removed} of ${removed + kept} in ${table}`).join(', ');
  const [first] = blocked;
  if (first === undefined) return `retention removed ${counts}`;
  return `retention removed ${counts}; kept beyond their time: ${blocked.length}, such as ${first.run} (${first.why})`;
}

function runRule(runDays: number | null, runCount: number | null): string {
  const rules = [
    ...(runDays === null ? [] : [`kept for ${days(runDays)}`]),
    ...(runCount === null ? [] : [`the newest ${runCount} finished`]),
  ];
  return rules.length === 0 ? 'kept without limit' : rules.join(', at most ');
}

function days(count: number): string {
  return count === 1 ? '1 day' : `${count} days`;
}
