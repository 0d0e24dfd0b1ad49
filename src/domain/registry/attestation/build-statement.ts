import {
  provenanceType,
  type ReleaseStatement,
  releaseBuilderId,
  releaseBuildType,
  statementType,
} from '../../../contract/attestation.ts';
import { WaybillError } from '../../../contract/errors.ts';
import type { RunProvenance } from '../../../contract/evidence.ts';
import type { Digest } from '../../../contract/ids.ts';
import { hexOf, parseDigest } from '../../../platform/digests/digest.ts';
import type { Coordinate, Entry } from '../package-types/package-type.ts';
import { formatCoordinate } from '../packages/parse-coordinate.ts';
import { gitUri } from './git-uri.ts';
import type { ProvenRun } from './run-evidence.ts';

/** A version as a statement speaks of it. */
export interface AttestedVersion {
  readonly coordinate: Coordinate;
  /** Of its content, as it will be or is published. */
  readonly digest: Digest;
  readonly entries: readonly Entry[];
}

type Predicate = ReleaseStatement['predicate'];

/**
 * What is signed for a version: a function of the version and the evidence of its run, and of nothing else, so that
 * signing again gives the same bytes, and whoever has the evidence can say it again and compare.
 * @throws WaybillError `run_not_succeeded` for a run that did not begin or end well
 */
export function buildStatement(version: AttestedVersion, run: ProvenRun): ReleaseStatement {
  const { coordinate, entries } = version;
  const { facts, runId } = run;
  const { asked, started, startedAt, finishedAt, terminal } = facts;
  if (started === null || startedAt === null || finishedAt === null || terminal?.type !== 'run.succeeded') {
    throw new WaybillError('run_not_succeeded', `run ${runId} has not succeeded: nothing is attested for it`);
  }
  const { provenance } = started;
  return {
    _type: statementType,
    subject: [
      { name: formatCoordinate(coordinate), digest: digestSet(version.digest) },
      ...entries
        .toSorted((a, b) => (a.path < b.path ? -1 : 1))
        .map(({ path, digest }) => ({ name: path, digest: digestSet(digest) })),
    ],
    predicateType: provenanceType,
    predicate: {
      buildDefinition: {
        buildType: releaseBuildType,
        externalParameters: {
          package: { type: coordinate.type, name: coordinate.name, version: coordinate.version },
          workflow: asked.workflow,
          tasks: [...asked.tasks],
          tool: asked.tool ?? null,
        },
        internalParameters: internalParameters(provenance),
        resolvedDependencies: dependencies(run, provenance),
      },
      runDetails: {
        builder: { id: releaseBuilderId, version: provenance.versions },
        metadata: { invocationId: runId, startedOn: startedAt, finishedOn: finishedAt },
        byproducts: byproducts(run),
      },
    },
  };
}

function internalParameters(provenance: RunProvenance): Predicate['buildDefinition']['internalParameters'] {
  const { workflow, tool, configDigest, envFingerprint, platform, containment } = provenance;
  return {
    workflow: { version: workflow.version, codeDigest: workflow.codeDigest },
    tool: tool ?? null,
    configDigest,
    environment: {
      fingerprint: envFingerprint,
      os: platform.os,
      arch: platform.arch,
      node: platform.node,
      containment: `${containment.how}: ${containment.means}`,
    },
  };
}

/** What went in: the commit, the tree the run began with, the one that was accepted after a drift, and the input. */
function dependencies(
  { facts }: ProvenRun,
  { checkout, inputDigest }: RunProvenance,
): Predicate['buildDefinition']['resolvedDependencies'] {
  const { commit, remote, name, dirty } = checkout;
  const begun = facts.started?.snapshot?.digest ?? null;
  const accepted = facts.snapshot?.digest ?? null;
  return [
    ...(commit.known
      ? [
          {
            uri: gitUri(
              { remote: remote.known ? remote.value : null, name: name.known ? name.value : null },
              commit.value,
            ),
            digest: { gitCommit: commit.value },
            annotations: { dirty: dirty.known ? dirty.value : null },
          },
        ]
      : []),
    ...(begun === null ? [] : [{ name: 'snapshot' as const, digest: digestSet(begun) }]),
    ...(accepted === null || accepted === begun
      ? []
      : [{ name: 'accepted snapshot' as const, digest: digestSet(accepted) }]),
    { name: 'input' as const, digest: digestSet(inputDigest) },
  ];
}

function byproducts({ facts, receipts }: ProvenRun): Predicate['runDetails']['byproducts'] {
  return [
    { name: 'ledger', digest: digestSet(facts.lastDigest), annotations: { events: facts.lastSeq } },
    ...receipts.map(({ receipt, digest }) => ({
      name: 'receipt' as const,
      digest: digestSet(digest),
      annotations: {
        run: receipt.runId,
        number: receipt.number,
        step: receipt.step.name,
        outcome: receipt.outcome,
      },
    })),
  ];
}

function digestSet(digest: string): { readonly sha256: string } {
  return { sha256: hexOf(parseDigest(digest)) };
}
