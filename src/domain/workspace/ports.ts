/** One request to a webhook. */
export interface WebhookRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly timeoutMs: number;
  /** Ends the request; the answer is then `failed`. */
  readonly signal?: AbortSignal;
}

/** What came of it. Nothing of the receiver's own words is in it. */
export type WebhookAnswer =
  /** `retryAfterMs`: how long the receiver asked us to wait; null when it did not say. */
  | { readonly how: 'answered'; readonly status: number; readonly retryAfterMs: number | null }
  /** `reason`: a short word of ours or the system's: `timeout`, `ECONNREFUSED`, `webhook_refused: ...`. */
  | { readonly how: 'failed'; readonly reason: string };

/** How the domain reaches the outside. */
export interface WebhookPort {
  /**
   * The address in its normal form, when events may be sent there as things are now.
   * @throws WaybillError `webhook_refused`
   */
  check(url: string): Promise<string>;
  /** Sends once, to an address that was checked in this very moment. Never rejects, follows nothing. */
  send(request: WebhookRequest): Promise<WebhookAnswer>;
}
