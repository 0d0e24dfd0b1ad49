import type { Id } from '../../contract/ids.ts';
import { isId } from '../../contract/ids.ts';

/** What a `traceparent` from outside says, or why it says nothing that can be used. */
export type InboundTrace =
  | { readonly usable: true; readonly traceId: Id<'traceId'>; readonly spanId: Id<'spanId'> }
  | { readonly usable: false; readonly reason: 'malformed' | 'oversized' };

const longest = 512;
const fieldsLength = 55;
const shape = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

/**
 * Reads a `traceparent` (W3C Trace Context, section 3.2): version, trace id, parent id, flags, in lowercase hex.
 * Version `ff` and ids of zeros are invalid; of a version newer than `00` the known fields are used, whatever follows.
 */
export function parseTraceparent(text: string): InboundTrace {
  if (text.length > longest) return { usable: false, reason: 'oversized' };
  const fields = shape.exec(text.slice(0, fieldsLength));
  const [, version, traceId, spanId] = fields ?? [];
  const rest = text.slice(fieldsLength);
  const restFits = rest === '' || (version !== '00' && rest.startsWith('-'));
  if (version === 'ff' || !restFits || !isId('traceId', traceId) || !isId('spanId', spanId)) {
    return { usable: false, reason: 'malformed' };
  }
  return { usable: true, traceId, spanId };
}

/** Writes a `traceparent` of version 00. The flag says "sampled", because Waybill keeps every span. */
export function formatTraceparent(trace: { readonly correlationId: string; readonly spanId: string }): string {
  return `00-${trace.correlationId}-${trace.spanId}-01`;
}
