/** What a pass of retention removed and kept, and by which rule: for the daemon's log and the command line alike. */
export interface RetentionReport {
  readonly dryRun: boolean;
  readonly tables: readonly {
    readonly table: string;
    readonly removed: number;
    readonly kept: number;
    readonly reason: string;
  }[];
  /** Runs past their time that are kept because something needs them. */
  readonly blocked: readonly { readonly run: string; readonly why: string }[];
}
