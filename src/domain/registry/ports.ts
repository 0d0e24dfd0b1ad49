import type { PublicKey } from '../../platform/signatures/public-key.ts';
import type { SnapshotEntry } from '../runs/ports.ts';

/** What releases need from the outside; executors implement these, main.ts hands them in. */

// ---- signing ---------------------------------------------------------------------------------------------

/** A key that can sign, opened. */
export interface Signer {
  readonly key: PublicKey;
  sign(bytes: Uint8Array): Uint8Array;
}

/** The key pair of a workspace. */
export interface SigningPort {
  /** Where its public key lies. */
  readonly publicKeyPath: string;
  /** The public key that this workspace trusts: its own. Null when it has none. @throws WaybillError `signing_key_invalid` */
  pinned(): Promise<PublicKey | null>;
  /** The key pair. @throws WaybillError `signing_key_missing`, `signing_key_invalid` */
  open(): Promise<Signer>;
  /** Makes a key pair, never over one that is there. @throws WaybillError `signing_key_exists`, `file_write_failed` */
  make(): Promise<PublicKey>;
}

// ---- commits ---------------------------------------------------------------------------------------------

/** The files of a commit below the folder that was asked about, as a snapshot would list them. */
export interface CommitTree {
  readonly files: readonly SnapshotEntry[];
  /** True when git was told to check out only a part of the tree, or not to tell executable files apart. */
  readonly sparse: boolean;
  readonly ignoresModes: boolean;
}

/** `unknown`: nothing can be said, and why; `missing`: there is a checkout with all its commits, but not this one. */
export type CommitAnswer =
  | { readonly outcome: 'found'; readonly tree: CommitTree }
  | { readonly outcome: 'missing' }
  | { readonly outcome: 'unknown'; readonly reason: string };

/** What git knows of a commit; it only looks. */
export interface CommitPort {
  tree(root: string, commit: string): Promise<CommitAnswer>;
  /**
   * Other forms that files of a commit may have had on disk, by path: their digests with other line ends, or of what a
   * pointer of git-lfs stands for; null for a file that a filter program changes on its way, of which nothing is known.
   */
  otherForms(
    root: string,
    commit: string,
    paths: readonly string[],
  ): Promise<ReadonlyMap<string, readonly string[] | null>>;
  /** Which of these paths git ignores. */
  ignored(root: string, paths: readonly string[]): Promise<ReadonlySet<string>>;
}
