import type { ReleaseStatement } from '../../../contract/attestation.ts';
import { releaseManifestSchema } from '../../../contract/release-manifest.ts';
import { firstDifference } from '../../runs/keys/first-difference.ts';
import { type AttestedVersion, buildStatement } from '../attestation/build-statement.ts';
import type { ProvenRun } from '../attestation/run-evidence.ts';
import { buildReleaseManifest, runType } from '../release/build-manifest.ts';
import { jsonOf } from './json-of.ts';
import { BrokenRelease, type ReleaseLink } from './release-link.ts';
import type { ReleaseContent } from './release-source.ts';

/** The run behind a version: it succeeded, and each file is one that a step of it made. @throws BrokenRelease */
export function checkRun(run: ProvenRun, version: AttestedVersion): void {
  const { terminal } = run.facts;
  if (terminal?.type !== 'run.succeeded') {
    throw new BrokenRelease('run', run.runId, 'a run that succeeded', terminal?.type ?? 'one that has not ended');
  }
  const made = new Set<string>();
  for (const { receipt } of run.receipts) {
    if (receipt.outcome === 'succeeded') for (const { digest } of receipt.artifacts) made.add(digest);
  }
  for (const { path, digest } of version.entries) {
    if (!made.has(digest)) throw new BrokenRelease('receipts', path, `a receipt that made ${digest}`, 'none');
  }
}

/** What was signed, held against what the evidence of the run says now: all of it. @throws BrokenRelease */
export function checkSigned(signed: ReleaseStatement, version: AttestedVersion, run: ProvenRun): void {
  const difference = firstDifference(buildStatement(version, run), signed);
  if (difference === undefined) return;
  const { path, left, right } = difference;
  throw new BrokenRelease(linkAt(path, signed), `what was signed, at ${path}`, left, right);
}

/** The manifest of a version of a run speaks of the run too. @throws BrokenRelease */
export function checkManifest(
  { coordinate, manifest }: ReleaseContent,
  version: AttestedVersion,
  run: ProvenRun,
): void {
  if (coordinate.type !== runType || manifest === null) return;
  const parsed = releaseManifestSchema.safeParse(jsonOf(Buffer.from(manifest.body).toString('utf8')));
  if (!parsed.success) throw new BrokenRelease('run', 'the manifest', 'what its format says', parsed.error.message);
  const difference = firstDifference(buildReleaseManifest(version, run), parsed.data);
  if (difference === undefined) return;
  throw new BrokenRelease('run', `the manifest, at ${difference.path}`, difference.left, difference.right);
}

/** Which link a place in a statement speaks of. */
function linkAt(pointer: string, { predicate }: ReleaseStatement): ReleaseLink {
  const dependency = /^\/predicate\/buildDefinition\/resolvedDependencies\/(\d+)/.exec(pointer)?.[1];
  if (dependency !== undefined) {
    const at = predicate.buildDefinition.resolvedDependencies[Number(dependency)];
    if (at === undefined || 'uri' in at) return 'commit';
    return at.name === 'input' ? 'run' : 'snapshot';
  }
  const product = /^\/predicate\/runDetails\/byproducts\/(\d+)/.exec(pointer)?.[1];
  if (product !== undefined) return product === '0' ? 'ledger' : 'receipts';
  return pointer.startsWith('/subject') ? 'attestation' : 'run';
}
