import type { Configuration } from '../contract/configuration.ts';
import type { ErrorStore } from '../platform/envelopes/error-store.ts';
import type { RetentionReport } from '../surfaces/cli/program.ts';

/** Removes what is past its time, and says what stays and why. */
export async function runRetention(
  errors: ErrorStore,
  { retention: { envelopeDays } }: Pick<Configuration, 'retention'>,
  { dryRun }: { readonly dryRun: boolean },
): Promise<RetentionReport> {
  const report = await errors.cleanup({ keepDays: envelopeDays, dryRun });
  const reason = `kept for ${envelopeDays} days`;
  return { dryRun, tables: [{ table: 'infra_error_events', removed: report.removed, kept: report.kept, reason }] };
}
