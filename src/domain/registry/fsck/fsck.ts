import { verifyAuditChain } from '../../../platform/journal/verify-audit-chain.ts';
import { collectGarbage } from '../collection/collect-garbage.ts';
import type { Registry } from '../registry.ts';
import { checkBytes, checkRepoBlobs } from './check-blobs.ts';
import { checkNumbers } from './check-numbers.ts';
import { checkRows } from './check-rows.ts';
import { checkRuns } from './check-runs.ts';
import { checkTold } from './check-told.ts';
import { checkVersions } from './check-versions.ts';
import type { DamageKind, FsckReport } from './damage.ts';
import { Inspection } from './inspection.ts';
import { missingGuards } from './missing-guards.ts';
import { unlessUnreadable } from './unreadable.ts';

export interface FsckRequest {
  /** Aborted: it ends early, and says that it is not complete. */
  readonly signal?: AbortSignal;
  /** Told of each thing how many were looked at so far. */
  readonly progress?: (what: string, count: number) => void;
}

const guardKinds = {
  missing: 'guard_missing',
  changed: 'guard_changed',
  unknown: 'guard_unknown',
} as const satisfies Record<string, DamageKind>;

/**
 * Looks at everything the registry holds: guards, bytes, rows, what was announced and recorded, the audit. Reads and
 * changes nothing, in constant memory, while others work. Whatever it finds is named, with what it means and what to do.
 * @throws WaybillError `store_*`, `file_*` when something cannot be read: then nothing is known of it
 */
export async function checkRegistry(registry: Registry, request: FsckRequest = {}): Promise<FsckReport> {
  const inspection = new Inspection(registry, {
    signal: request.signal,
    progress: request.progress ?? (() => {}),
  });
  const { checked, problems } = await missingGuards(registry.store);
  for (const { problem, kind, table, name } of problems) {
    inspection.found(
      guardKinds[problem],
      `${kind} ${name}`,
      table === '' ? problem : `${problem}, on the table ${table}`,
    );
  }
  inspection.looked('guards', checked);
  const corrupt = await checkBytes(inspection);
  await checkNumbers(inspection);
  const part = (where: string, work: () => Promise<void>) => unlessUnreadable(inspection, where, work);
  await part('the blobs of repos', () => checkRepoBlobs(inspection, corrupt));
  await part('the runs', () => checkRuns(inspection));
  await part('the versions', () => checkVersions(inspection));
  await part('the rows that hang on others', () => checkRows(inspection));
  await part('what was told', () => checkTold(inspection));
  await part('the chain of the audit', () => checkAudit(inspection));
  // A list of files or a row that cannot be read hides what it keeps: then nothing is called garbage.
  if (corrupt.size === 0 && !inspection.hasFound('row_unreadable'))
    await part('what nothing refers to', () => remarkGarbage(inspection, request.signal));
  return inspection.report;
}

async function checkAudit(inspection: Inspection): Promise<void> {
  if (inspection.stopped) return;
  const { checked, unsealed, problems } = await verifyAuditChain(inspection.registry.store);
  inspection.looked('audit records', checked + unsealed);
  for (const { position, problem, message } of problems) {
    inspection.found('audit_chain', `audit record at ${position} (${problem})`, message);
  }
}

/** What nothing refers to is no damage: it costs room, and the collector takes it. */
async function remarkGarbage(inspection: Inspection, signal: AbortSignal | undefined): Promise<void> {
  if (inspection.stopped) return;
  const { registry } = inspection;
  const request = { apply: false, ...(signal === undefined ? {} : { signal }) };
  const { blobs } = await collectGarbage(registry, request, 'fsck');
  inspection.remark({ kind: 'unreferenced', ...blobs.collectable });
  let [count, bytes] = [0, 0];
  for await (const { size } of registry.blobs.staged.list()) {
    count += 1;
    bytes += size;
  }
  inspection.remark({ kind: 'staged', count, bytes });
}
