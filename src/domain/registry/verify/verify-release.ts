import type { RunStateName } from '../../../contract/evidence.ts';
import { isId } from '../../../contract/ids.ts';
import type { DsseEnvelope } from '../../../platform/signatures/dsse.ts';
import type { PublicKey } from '../../../platform/signatures/public-key.ts';
import type { GuardProblem } from '../../../platform/store/guards/guard.ts';
import { Broken } from '../../runs/evidence/broken-link.ts';
import type { EvidenceSource } from '../../runs/evidence/evidence-source.ts';
import { type ProvenRun, proveRun } from '../attestation/run-evidence.ts';
import { formatCoordinate } from '../packages/parse-coordinate.ts';
import { type Authenticity, authenticity, checkAttestation, readEnvelope } from './check-attestation.ts';
import { type Checkout, checkCommit, firstManifest } from './check-commit.ts';
import { checkPackage, packageWords } from './check-package.ts';
import { checkManifest, checkRun, checkSigned } from './check-run.ts';
import { BrokenRelease, type CheckedLink, type ReleaseLink, releaseBroken, releaseLinks } from './release-link.ts';
import type { ReleaseSource } from './release-source.ts';

/** What a verification of a release found: whether it is intact, link by link, and, apart from that, who signed it. */
export interface ReleaseVerification {
  readonly coordinate: string;
  readonly digest: string | null;
  /** The key the attestation names; null without one. */
  readonly keyId: string | null;
  readonly intact: boolean;
  readonly authentic: Authenticity;
  /** All links in order; after a broken one nothing is checked. */
  readonly links: readonly CheckedLink[];
  readonly firstBroken: CheckedLink | null;
  /** What was looked at, by name. */
  readonly checked: Readonly<Record<string, number>>;
  readonly runId: string | null;
  readonly state: RunStateName | null;
  /**
   * Guards of the database that are missing or changed, where it was verified in a store: whoever did that could change
   * what the links are held against, all of it at once. No link shows it, so it is told beside them.
   */
  readonly guards?: readonly GuardProblem[];
  /** Why it should not be used although it is what it says: tombstoned, or held back by a rule. Known in its store only. */
  readonly warnings?: readonly string[];
}

export interface VerifyWith extends Checkout {
  readonly given: PublicKey | null;
  readonly pinned: PublicKey | null;
}

/** Walks the chain of a release back to its commit, and stops at the first broken link. It asks no network. */
export async function verifyRelease(source: ReleaseSource, how: VerifyWith): Promise<ReleaseVerification> {
  const walk = new Walk(source, how);
  let broken: BrokenRelease | null = null;
  try {
    await walk.all();
  } catch (error) {
    if (error instanceof BrokenRelease) broken = error;
    else if (error instanceof Broken) broken = releaseBroken(error);
    else throw error;
  }
  const { content } = source;
  const links = releaseLinks.map((link) => linkState(link, walk.done, broken));
  return {
    coordinate: formatCoordinate(content.coordinate),
    digest: content.digest,
    keyId: content.attestation?.keyId ?? null,
    intact: broken === null,
    authentic: walk.authentic,
    links,
    firstBroken: links.find(({ state }) => state === 'broken') ?? null,
    checked: walk.checked,
    runId: content.run,
    state: walk.state,
  };
}

/** The answer about a release that cannot even be opened. */
export function brokenRelease(coordinate: string, broken: BrokenRelease): ReleaseVerification {
  const links = releaseLinks.map((link) => linkState(link, [], broken));
  return {
    coordinate,
    digest: null,
    keyId: null,
    intact: false,
    authentic: 'not_checked',
    links,
    firstBroken: links.find(({ state }) => state === 'broken') ?? null,
    checked: {},
    runId: null,
    state: null,
  };
}

function linkState(link: ReleaseLink, done: readonly CheckedLink[], broken: BrokenRelease | null): CheckedLink {
  if (broken?.link === link) {
    return { link, state: 'broken', what: broken.where, expected: broken.expected, actual: broken.actual };
  }
  const found = done.find((each) => each.link === link);
  if (found !== undefined) return found;
  return { link, state: 'not_checked', what: broken === null ? 'nothing to look at' : `${broken.link} is broken` };
}

class Walk {
  readonly done: CheckedLink[] = [];
  readonly checked: Record<string, number> = {};
  authentic: Authenticity;
  state: RunStateName | null = null;
  readonly #source: ReleaseSource;
  readonly #how: VerifyWith;

  constructor(source: ReleaseSource, how: VerifyWith) {
    this.#source = source;
    this.#how = how;
    this.authentic = source.content.attestation === null ? 'unsigned' : 'not_checked';
  }

  async all(): Promise<void> {
    const source = this.#source;
    const { content } = source;
    // Asked first, because who signed it is another question than whether all of it holds.
    const { envelope, wrong } = this.#askSigner();
    const found = await checkPackage(source);
    Object.assign(this.checked, { files: found.entries.length - found.gone, bytes: found.bytes });
    const records = await source.checkRecords();
    Object.assign(this.checked, records);
    this.#intact('package', packageWords(content, found));
    if (wrong !== null) throw wrong;
    const signed = envelope === null ? null : checkAttestation(envelope, content, found);
    if (envelope === null) this.#notChecked('attestation', 'it was published without one');
    else
      this.#intact(
        'attestation',
        `it is of this version and its ${found.entries.length === 1 ? 'file' : `${found.entries.length} files`}, signed by ${content.attestation?.keyId}`,
      );
    const runId = signed?.predicate.runDetails.metadata.invocationId ?? content.run;
    if (runId !== content.run)
      throw new BrokenRelease('run', 'the run of the version', String(runId), String(content.run));
    if (runId === null || !isId('run', runId)) {
      for (const link of releaseLinks.slice(2)) this.#notChecked(link, 'it was not made by a run');
      source.checkWhole?.();
      return;
    }
    const evidence = await source.openRun(runId);
    if (evidence === null) throw new BrokenRelease('run', runId, 'the evidence of the run', 'none');
    this.state = evidence.run.state;
    const run = await proveRun(evidence);
    const version = { coordinate: content.coordinate, digest: found.digest, entries: found.entries };
    checkRun(run, version);
    checkManifest(content, version, run);
    if (signed !== null) checkSigned(signed, version, run);
    await this.#runLinks(run, evidence);
    source.checkWhole?.();
  }

  #askSigner(): { readonly envelope: DsseEnvelope | null; readonly wrong: BrokenRelease | null } {
    const { content, publicKey } = this.#source;
    try {
      const envelope = readEnvelope(content);
      this.authentic = authenticity(envelope, { ...this.#how, included: publicKey });
      return { envelope, wrong: null };
    } catch (error) {
      if (!(error instanceof BrokenRelease)) throw error;
      if (this.#how.given !== null || this.#how.pinned !== null) this.authentic = 'wrong_key';
      return { envelope: null, wrong: error };
    }
  }

  async #runLinks(run: ProvenRun, evidence: EvidenceSource): Promise<void> {
    const { facts, checked, receipts } = run;
    Object.assign(this.checked, {
      events: checked.events,
      receipts: receipts.length,
      blobs: checked.blobs,
      snapshots: checked.snapshots,
    });
    this.#intact('run', `${run.runId} succeeded at ${facts.finishedAt}`);
    this.#intact('receipts', `${receipts.length} hold, and each file is one that a step made`);
    this.#intact('ledger', `${facts.lastSeq} events, chained up to ${facts.lastDigest}`);
    const manifest = await firstManifest(evidence, run);
    const { snapshot } = facts.started ?? {};
    if (snapshot === null || snapshot === undefined) this.#notChecked('snapshot', 'the run took none');
    else if (manifest === null) this.#notChecked('snapshot', 'this evidence does not carry the list of its files');
    else this.#intact('snapshot', `${snapshot.id}: ${manifest.count} files give ${snapshot.digest}`);
    this.done.push(await checkCommit(run, manifest, this.#how));
  }

  #intact(link: ReleaseLink, what: string): void {
    this.done.push({ link, state: 'intact', what });
  }

  #notChecked(link: ReleaseLink, what: string): void {
    this.done.push({ link, state: 'not_checked', what });
  }
}
