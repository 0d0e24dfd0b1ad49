import type { EventType, LedgerEvent, StepReference } from '../../../contract/evidence.ts';
import type { Digest, RunId } from '../../../contract/ids.ts';
import type { JsonValue } from '../../../contract/json.ts';
import { canonicalJson } from '../../../platform/canonical-json/canonical-json.ts';
import { chainDigest } from '../../../platform/chain/chain.ts';
import { formatTimeMicros, type Micros } from '../../../platform/clock/clock.ts';

/** JSON with optional members, which are left out when absent; an explicit undefined is refused when it is written. */
export type Recordable = JsonValue | readonly Recordable[] | { readonly [key: string]: Recordable | undefined };

/** What a writer says of an event; place, time and chain are added when it is appended. */
export interface EventDraft {
  readonly type: EventType;
  readonly step?: StepReference;
  readonly attempt?: number;
  readonly traceId?: string;
  readonly spanId?: string;
  readonly data: Readonly<Record<string, Recordable | undefined>>;
}

export const ledgerTag = 'waybill.event.v1';

/** The exact text that is hashed and stored: RFC 8785 over everything but the chain's own two members. */
export function eventBody(runId: RunId, seq: number, time: Micros, draft: EventDraft): string {
  return canonicalJson({ ...draft, schema: ledgerTag, runId, seq, time: formatTimeMicros(time) });
}

export function eventDigest(previous: Digest, body: string): Digest {
  return chainDigest(ledgerTag, previous, body);
}

/** The line of `ledger.ndjson` (without its newline): the stored text with the chain's members put at its end. */
export function eventLine(body: string, previous: string, digest: string): string {
  return `${body.slice(0, -1)},"previous":"${previous}","digest":"${digest}"}`;
}

/** The stored text of an event that came as a line or in a bundle. */
export function bodyOf(event: LedgerEvent): string {
  const { previous: _previous, digest: _digest, ...body } = event;
  return canonicalJson(body);
}
