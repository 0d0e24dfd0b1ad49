import type { Snapshot } from '../../domain/runs/ports.ts';
import type { Listing } from './list-files.ts';
import type { ListingProof } from './listing-proof.ts';
import type { PathKey } from './tree-path.ts';

/** What a capture found out about each listed path; the next capture reads again only what differs from it. */
export interface TreeState {
  readonly root: string;
  /** Sorted, each once. */
  readonly keys: readonly PathKey[];
  /** See stat-rows.ts; one row a key. */
  readonly rows: Float64Array;
  /** The 64 hex digits of each path's content, '' for what is not part of the snapshot. */
  readonly digests: readonly string[];
  /** Vouches that a plain request lists exactly `keys`, by the rule `git`. */
  readonly proof: ListingProof | undefined;
  /** What was listed and made of it; lives as long as the process, a cache file does not hold it. */
  readonly made: { readonly listing: Listing; readonly snapshot: Snapshot } | undefined;
}
