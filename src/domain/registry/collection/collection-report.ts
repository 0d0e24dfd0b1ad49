/** So many, and the bytes they have together. */
export interface Amount {
  readonly count: number;
  readonly bytes: number;
}

/**
 * What was found and done, each thing counted once: `total` is the sum of what is under `kept`, `collectable` and
 * `vanished`. After `apply`, what is left is `total` less `removed` and `vanished`.
 */
export interface CollectionReport {
  /** False: nothing was changed. */
  readonly applied: boolean;
  /** False when it was stopped before it had looked at everything; the next one does. */
  readonly complete: boolean;
  /** Nothing that was touched at this time or later was looked at: RFC 3339 UTC. */
  readonly untouchedSince: string;
  /** Which bytes may be read in which repo. */
  readonly repoBlobs: {
    readonly total: Amount;
    readonly kept: {
      /** Added within the grace time. */
      readonly recent: Amount;
      /** A draft or a version has it, or one that was tombstoned not long ago. */
      readonly version: Amount;
    };
    readonly collectable: Amount;
    readonly removed: Amount;
  };
  /** Trees that no run names any more. */
  readonly snapshots: { readonly collectable: number; readonly removed: number };
  /** The bytes themselves, each digest once. */
  readonly blobs: {
    readonly total: Amount;
    readonly kept: {
      /** Put or touched within the grace time, or while a step that is still at work may want them. */
      readonly recent: Amount;
      /** Readable in a repo, or a file of a version. */
      readonly repo: Amount;
      /** An artifact, output, input, or tree of a run. */
      readonly run: Amount;
    };
    /** Nothing refers to them. */
    readonly collectable: Amount;
    readonly removed: Amount;
    /** Gone when they were to be removed: another collector was faster. */
    readonly vanished: Amount;
  };
}

/** Counts up. */
export class Tally implements Amount {
  count = 0;
  bytes = 0;

  add(size: number): void {
    this.count += 1;
    this.bytes += size;
  }

  take(size: number): void {
    this.count -= 1;
    this.bytes -= size;
  }

  toJSON(): Amount {
    return this.amount;
  }

  get amount(): Amount {
    return { count: this.count, bytes: this.bytes };
  }
}
