import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { JsonValue } from '../../contract/json.ts';
import { asStored } from './as-stored.ts';
import { canonicalJson } from './canonical-json.ts';

test('a value is as it will be read back: its keys in order, no negative zero', () => {
  expect(JSON.stringify(asStored({ z: 1, a: { y: [{ d: 1, c: 2 }], b: 3 } }))).toBe(
    '{"a":{"b":3,"y":[{"c":2,"d":1}]},"z":1}',
  );
  expect(asStored(-0)).toBe(0);
  expect(asStored('text')).toBe('text');
  expect(asStored(null)).toBe(null);
});

test('and to read it back once more changes nothing', () => {
  const json: fc.Arbitrary<JsonValue> = fc
    .json({ stringUnit: 'grapheme' })
    .map((text) => JSON.parse(text))
    .filter((value) => {
      try {
        return canonicalJson(value) !== '';
      } catch {
        return false; // whole numbers that lose digits
      }
    });
  fc.assert(
    fc.property(json, (value) => {
      const stored = asStored(value);
      expect(stored).toEqual(JSON.parse(canonicalJson(value)));
      expect(JSON.stringify(asStored(stored))).toBe(JSON.stringify(stored));
    }),
  );
});
