import type { Digest } from '../../../contract/ids.ts';
import type { ReadTx } from '../../../platform/store/store.ts';
import { gateStandings } from '../../gates/gate-standings.ts';
import { runGate } from '../../gates/run-gates.ts';
import { manifestInvalid } from '../manifests/manifest-invalid.ts';
import { manifestProblemsOf } from '../manifests/manifest-problems-of.ts';
import type { Entry } from '../package-types/package-type.ts';
import type { Registry, VersionSubject } from '../registry.ts';
import {
  assertBlobsInRepo,
  assertBlobsInStore,
  assertHasEntries,
  assertNotExpired,
  manifestMissing,
} from './guards.ts';
import { readEntries, readManifest, type VersionRow } from './read-content.ts';
import { type VersionContent, versionDigest } from './version-digest.ts';

/** A draft that may be published, as far as its own content says. */
export interface Found extends VersionContent {
  readonly entries: readonly Entry[];
  readonly digest: Digest;
}

/**
 * Reads a draft and holds it against the guards that ask only the store.
 * @param missing blobs whose bytes are known to be gone
 * @throws WaybillError `draft_expired`, `draft_empty`, `blob_not_found`, `blob_unavailable`, `manifest_missing`, `manifest_invalid`
 */
export async function lookAtDraft(
  registry: Registry,
  tx: Pick<ReadTx, 'db'>,
  row: VersionRow,
  missing: ReadonlySet<Digest> = new Set(),
): Promise<Found> {
  assertNotExpired(row, registry.clock.now());
  const { coordinate } = row;
  const entries = await readEntries(tx, row.repo, row.versionId);
  assertHasEntries(row, entries);
  assertBlobsInRepo(row, entries);
  assertBlobsInStore([...new Set(entries.map(({ digest }) => digest))].filter((digest) => missing.has(digest)));
  const manifest = await readManifest(tx, row.versionId);
  if (manifest === undefined) throw manifestMissing(row);
  const problems = manifestProblemsOf(registry, manifest.bytes, { coordinate, entries });
  if (problems.length > 0) throw manifestInvalid(problems);
  const content = { coordinate, entries, manifest: manifest.facts };
  return { ...content, digest: versionDigest(content) };
}

/** Runs each required gate that has no word yet on exactly this content. What they found is judged under the lock. */
export async function checkGates(registry: Registry, row: VersionRow, found: Found, by: string): Promise<void> {
  const required = registry.settings.gates;
  if (required.length === 0) return;
  const { digest, coordinate } = found;
  const standings = await registry.store.read((tx) => gateStandings(tx, required, registry.gates, digest));
  const subject: VersionSubject = { versionId: row.versionId, repo: row.repo, coordinate, digest, run: row.run };
  for (const { gate: id, state } of standings) {
    const gate = registry.gates.get(id);
    if (gate === undefined || state === 'green') continue;
    await runGate(registry, gate, { subject, about: { kind: 'version', digest } }, by);
  }
}
