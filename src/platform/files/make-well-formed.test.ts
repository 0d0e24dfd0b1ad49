import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { canonicalJson } from '../canonical-json/canonical-json.ts';
import { makeJsonWellFormed, makeWellFormed } from './make-well-formed.ts';

const anyText = fc.string({
  unit: fc.constantFrom('a', '\\', '\0', '\ud800', '\udc00', 'u', '0', '😀', 'é'),
  maxLength: 12,
});

test('a clean text stays as it is, any other is escaped and marked', () => {
  expect(makeWellFormed('a\\u0000 😀\n')).toEqual({ value: 'a\\u0000 😀\n', escaped: false });
  expect(makeWellFormed('a\0b')).toEqual({ value: 'a\\u0000b', escaped: true });
  expect(makeWellFormed('\ud800\\x\udfff')).toEqual({ value: '\\ud800\\\\x\\udfff', escaped: true });
  expect(makeWellFormed('😀\0')).toEqual({ value: '😀\\u0000', escaped: true });
});

test('the result is always well-formed and free of NUL, and two texts never become one', () => {
  fc.assert(
    fc.property(anyText, anyText, (a, b) => {
      const [left, right] = [makeWellFormed(a), makeWellFormed(b)];
      expect(left.value.isWellFormed()).toBe(true);
      expect(left.value).not.toContain('\0');
      if (a !== b) expect(left).not.toEqual(right);
    }),
    { numRuns: 2000 },
  );
});

test('JSON: every string and key is made well-formed, no key is lost, and it can be written canonically', () => {
  const value = { '\ud800': 1, '\\ud800': 2, list: ['\0', { ok: 'x' }], ['__proto__']: 'y' };
  const { value: clean, escaped } = makeJsonWellFormed(value);
  expect(escaped).toBe(true);
  expect(Object.keys(Object(clean))).toHaveLength(4);
  expect(canonicalJson(clean)).toContain('"\\\\ud800":1');
  const fine = { a: [1, 'x', null, true] };
  expect(makeJsonWellFormed(fine)).toEqual({ value: fine, escaped: false });
  expect(makeJsonWellFormed(fine).value).toBe(fine);
});
