import type { Digest, RunId } from '../../../contract/ids.ts';
import type { PublicKey } from '../../../platform/signatures/public-key.ts';
import type { EvidenceSource } from '../../runs/evidence/evidence-source.ts';
import type { Coordinate } from '../package-types/package-type.ts';
import type { VersionState } from '../states.ts';

/** An entry as a place keeps it: nothing of it has been looked at yet. */
export interface KeptEntry {
  readonly path: string;
  readonly digest: string;
  readonly size: number;
  readonly mediaType: string | null;
}

/** A version as a place keeps it. */
export interface ReleaseContent {
  readonly versionId: string;
  readonly repo: string;
  readonly coordinate: Coordinate;
  readonly state: VersionState;
  readonly digest: string | null;
  readonly run: string | null;
  readonly publishedAt: number | null;
  readonly publishedBy: string | null;
  readonly entries: readonly KeptEntry[];
  readonly manifest: {
    readonly mediaType: string;
    readonly body: Uint8Array;
    readonly digest: string;
    readonly size: number;
  } | null;
  readonly attestation: { readonly envelope: string; readonly keyId: string; readonly digest: string } | null;
}

/** A release wherever it lies: what `verifyRelease` asks for, piece by piece. */
export interface ReleaseSource {
  readonly content: ReleaseContent;
  /** A public key that came with it: it tells whether the signature is whole, and vouches for nobody. */
  readonly publicKey: PublicKey | null;
  /** Reads all bytes under a digest, and says what they are. */
  measure(digest: Digest): Promise<{ readonly digest: string; readonly size: number } | 'missing'>;
  /**
   * What only this kind of place keeps of the version: its event, audit records, gate runs.
   * @returns how many of each were looked at @throws BrokenRelease
   */
  checkRecords(): Promise<Readonly<Record<string, number>>>;
  /** @returns null when there is none @throws BrokenRelease, Broken */
  openRun(run: RunId): Promise<EvidenceSource | null>;
  /** What no single part proves; asked last. @throws BrokenRelease */
  checkWhole?(): void;
}
