import { stat } from 'node:fs/promises';
import { WaybillError } from '../../../contract/errors.ts';
import type { RunStateName } from '../../../contract/evidence.ts';
import type { RunId } from '../../../contract/ids.ts';
import { systemCode } from '../../../platform/files/file-write-failed.ts';
import type { BlobPort } from '../ports.ts';
import type { Looking } from '../show-run.ts';
import { Broken, type BrokenLink } from './broken-link.ts';
import { bundleSource } from './bundle-source.ts';
import { type Checked, checkEvidence } from './check-evidence.ts';
import type { EvidenceSource } from './evidence-source.ts';
import { folderSource } from './folder-source.ts';
import { storeSource } from './store-source.ts';

/** What a verification found. Intact (the evidence fits together) and authentic (a known key signed it) are two answers. */
export interface Verification {
  /** A run, a bundle file or a folder, as it was given. */
  readonly subject: string;
  readonly runId: string | null;
  /** What the evidence says of the run; a failed run can be as intact as a succeeded one. */
  readonly state: RunStateName | null;
  readonly intact: boolean;
  readonly authentic: 'unsigned';
  readonly checked: Readonly<Checked>;
  readonly firstBroken: BrokenLink | null;
}

/** Verifies a run of this store, with its blobs. @throws WaybillError `run_not_found` */
export function verifyRun(engine: Looking & { readonly blobs: BlobPort }, runId: RunId): Promise<Verification> {
  return verify(runId, () => storeSource(engine, runId));
}

/** Verifies a bundle file, offline. @throws WaybillError `file_read_failed` */
export function verifyBundle(file: string): Promise<Verification> {
  return verify(file, () => bundleSource(file));
}

/** Verifies a folder of evidence files, offline; the bytes of artifacts are not in it. @throws WaybillError `file_read_failed` */
export function verifyFolder(folder: string): Promise<Verification> {
  return verify(folder, () => folderSource(folder));
}

/** Verifies whatever lies at a path: a folder of evidence files or a bundle. @throws WaybillError `file_read_failed` */
export async function verifyPath(path: string): Promise<Verification> {
  const info = await stat(path).catch((error: unknown) => {
    throw new WaybillError(
      'file_read_failed',
      `cannot read ${path}: ${error instanceof Error ? error.message : error}`,
      {
        hint: 'Give a run, a bundle written by `waybill export --out`, or a folder under .waybill/runs.',
        details: { path, systemCode: systemCode(error) ?? null },
        cause: error,
      },
    );
  });
  if (info.isDirectory()) return verifyFolder(path);
  if (info.isFile()) return verifyBundle(path);
  // A pipe or a device would be waited for, or read without end.
  throw new WaybillError('file_read_failed', `${path} is neither a regular file nor a folder`, {
    hint: 'Give a run, a bundle written by `waybill export --out`, or a folder under .waybill/runs.',
    details: { path },
  });
}

async function verify(subject: string, open: () => Promise<EvidenceSource>): Promise<Verification> {
  const checked: Checked = { events: 0, receipts: 0, blobs: 0, snapshots: 0 };
  const seen: { source?: EvidenceSource } = {};
  const answer = (firstBroken: BrokenLink | null): Verification => ({
    subject,
    runId: seen.source?.run.runId ?? null,
    state: seen.source?.run.state ?? null,
    intact: firstBroken === null,
    authentic: 'unsigned',
    checked,
    firstBroken,
  });
  try {
    seen.source = await open();
    await checkEvidence(seen.source, checked);
    return answer(null);
  } catch (error) {
    if (error instanceof Broken) return answer(error.broken);
    throw error;
  }
}
