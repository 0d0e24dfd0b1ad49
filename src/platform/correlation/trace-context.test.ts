import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatTraceparent, parseTraceparent } from './trace-context.ts';

const correlationId = '4bf92f3577b34da6a3ce929d0e0e4736';
const spanId = '00f067aa0ba902b7';
const good = `00-${correlationId}-${spanId}-01`;

test('F8 a traceparent that is written is read again', () => {
  expect(formatTraceparent({ correlationId, spanId })).toBe(good);
  expect(parseTraceparent(good)).toEqual({ usable: true, traceId: correlationId, spanId });
});

test('F8 a newer version is read by the fields we know, version 00 may not carry more', () => {
  expect(parseTraceparent(`cc-${correlationId}-${spanId}-00-what-the-future-brings`).usable).toBe(true);
  expect(parseTraceparent(`cc-${correlationId}-${spanId}-00.x`).usable).toBe(false);
  expect(parseTraceparent(`${good}-more`).usable).toBe(false);
});

test.each([
  ['', 'malformed'],
  ['not a trace', 'malformed'],
  [good.toUpperCase(), 'malformed'],
  [`ff-${correlationId}-${spanId}-01`, 'malformed'],
  [`00-${'0'.repeat(32)}-${spanId}-01`, 'malformed'],
  [`00-${correlationId}-${'0'.repeat(16)}-01`, 'malformed'],
  [`${good}\n`, 'malformed'],
  [`00-${'a'.repeat(600)}`, 'oversized'],
])('F8 the inbound %j is refused as %s', (text, reason) => {
  expect(parseTraceparent(text)).toEqual({ usable: false, reason });
});

test('F8 no text from outside makes the parser throw or take what is not an id', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const trace = parseTraceparent(text);
      if (trace.usable) expect(trace.traceId).toMatch(/^[0-9a-f]{32}$/);
      else expect(['malformed', 'oversized']).toContain(trace.reason);
    }),
  );
});
