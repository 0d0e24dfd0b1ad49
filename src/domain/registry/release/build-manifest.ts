import type { ReleaseManifest } from '../../../contract/release-manifest.ts';
import type { AttestedVersion } from '../attestation/build-statement.ts';
import type { ProvenRun } from '../attestation/run-evidence.ts';

/** The type of packages that `waybill publish` makes unless told otherwise. */
export const runType = 'waybill-run';

/** The manifest of a version that a run made: a function of the version and the evidence of its run. */
export function buildReleaseManifest(
  { coordinate, entries }: Pick<AttestedVersion, 'coordinate' | 'entries'>,
  { runId, facts }: ProvenRun,
): ReleaseManifest {
  const checkout = facts.started?.provenance.checkout;
  return {
    schema: 'waybill.release.v1',
    package: { name: coordinate.name, version: coordinate.version },
    run: runId,
    workflow: facts.asked.workflow,
    commit: checkout?.commit.known === true ? checkout.commit.value : null,
    dirty: checkout?.dirty.known === true ? checkout.dirty.value : null,
    snapshot: facts.started?.snapshot?.digest ?? null,
    ledger: { events: facts.lastSeq, digest: facts.lastDigest },
    artifacts: entries
      .toSorted((a, b) => (a.path < b.path ? -1 : 1))
      .map(({ path, digest, size }) => ({ path, digest, size })),
  };
}
