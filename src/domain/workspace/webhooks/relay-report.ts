/** What a relay has done. */
export interface RelayReport {
  readonly handedOver: number;
  readonly delivered: number;
  /** Tries that failed and come again. */
  readonly failed: number;
  readonly dead: number;
  /** Webhooks whose secret comes from another machine's key: theirs waits for that machine. */
  readonly notSignable: readonly string[];
}
