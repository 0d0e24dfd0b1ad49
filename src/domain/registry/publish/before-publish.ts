import { z } from 'zod';
import type { Digest } from '../../../contract/ids.ts';
import { parseDigest } from '../../../platform/digests/digest.ts';
import type { PreparedSql, ReadTx } from '../../../platform/store/store.ts';
import { runGate } from '../../gates/run-gates.ts';
import { isExpired } from '../drafts/change-draft.ts';
import { draftExpired } from '../drafts/draft-errors.ts';
import { manifestInvalid } from '../manifests/manifest-invalid.ts';
import { manifestProblemsOf } from '../manifests/manifest-problems-of.ts';
import type { Entry } from '../package-types/package-type.ts';
import type { Registry, VersionSubject } from '../registry.ts';
import { type VersionState, versionStates } from '../states.ts';
import { versionNotFound } from '../version-not-found.ts';
import type { VersionRow } from '../version-row.ts';
import { assertBlobsInRepo, assertBlobsInStore, assertHasEntries, manifestMissing } from './guards.ts';
import { readEntries, readManifest } from './read-content.ts';
import { type VersionContent, versionDigest } from './version-digest.ts';

/** A draft that may be published, as far as its own content says. */
export interface Found extends VersionContent {
  readonly entries: readonly Entry[];
  readonly digest: Digest;
}

const selectDraft: PreparedSql = {
  sqlite: `SELECT version.package, version.state, entry.digest, entry.size FROM version
    LEFT JOIN version_entry AS entry ON entry.version = version.id WHERE version.id = ? AND version.repo = ?`,
  postgres: `SELECT version.package, version.state, entry.digest, entry.size FROM version
    LEFT JOIN version_entry AS entry ON entry.version = version.id WHERE version.id = $1 AND version.repo = $2`,
};
const draftRow = z.object({
  package: z.string(),
  state: z.enum(versionStates),
  digest: z.string().nullable(),
  size: z.union([z.number(), z.bigint()]).nullable(),
});

/** A version at a glance: enough to know whose lock is needed, and which bytes it stands on. */
export interface Glance {
  readonly packageId: string;
  readonly state: VersionState;
  /** Sizes by digest. */
  readonly blobs: ReadonlyMap<Digest, number>;
}

/** One prepared statement: most publishes need no more before their lock. @throws WaybillError `version_not_found` */
export async function glanceAt(
  { store }: Pick<Registry, 'store'>,
  { repo, versionId }: { readonly repo: string; readonly versionId: string },
): Promise<Glance> {
  const rows = (await store.select(selectDraft, [versionId, repo])).map((row) => draftRow.parse(row));
  const [first] = rows;
  if (first === undefined) throw versionNotFound(repo, versionId);
  const blobs = new Map<Digest, number>();
  for (const { digest, size } of rows) if (digest !== null) blobs.set(parseDigest(digest), Number(size));
  return { packageId: first.package, state: first.state, blobs };
}

/** Those whose bytes do not lie in the store with the size they must have. */
export async function missingBytes(
  { blobs: stored }: Pick<Registry, 'blobs'>,
  blobs: ReadonlyMap<Digest, number>,
): Promise<ReadonlySet<Digest>> {
  const missing = new Set<Digest>();
  for (const [digest, size] of blobs) {
    if ((await stored.stat(digest))?.size !== size) missing.add(digest);
  }
  return missing;
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
  if (isExpired(row, registry.clock.now())) throw draftExpired(row.versionId, row.expiresAt ?? 0);
  const { coordinate } = row;
  const entries = await readEntries(tx, row.repo, row.versionId);
  assertHasEntries(row, entries);
  assertBlobsInRepo(row, entries);
  assertBlobsInStore([...new Set(entries.map(({ digest }) => digest))].filter((digest) => missing.has(digest)));
  const manifest = await readManifest(tx, row.versionId);
  if (manifest === undefined) throw manifestMissing(row);
  const problems = manifestProblemsOf(registry, manifest.bytes, { coordinate, run: row.run, entries });
  if (problems.length > 0) throw manifestInvalid(problems);
  const content = { coordinate, entries, manifest: manifest.facts };
  return { ...content, digest: versionDigest(content) };
}

/**
 * Runs each required gate on this version. What they found is judged under the lock, and only that: the digest says what
 * is in a version, not which run it names or in which repo it is, so what was found of another one with the same content
 * is no word on this one.
 * @returns the ids of the evidence
 */
export async function checkGates(
  registry: Registry,
  row: VersionRow,
  found: Found,
  by: string,
): Promise<readonly string[]> {
  const { digest, coordinate, entries } = found;
  const { versionId, repo, run } = row;
  const subject: VersionSubject = { versionId, repo, coordinate, digest, run, entries };
  const evidence: string[] = [];
  for (const id of registry.settings.gates) {
    const gate = registry.gates.get(id);
    if (gate === undefined) continue;
    evidence.push(await runGate(registry, gate, { subject, about: { kind: 'version', digest } }, by));
  }
  return evidence;
}
