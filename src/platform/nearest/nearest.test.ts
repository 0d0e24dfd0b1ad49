import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { editDistance, nearest } from './nearest.ts';

test.each([
  ['', '', 0],
  ['abc', '', 3],
  ['kitten', 'sitting', 3],
  ['T-0024', 'T-0042', 1],
  ['ca', 'abc', 3],
])('the distance of %j and %j is %i', (from, to, distance) => {
  expect(editDistance(from, to)).toBe(distance);
});

test('the distance is symmetric, zero only for equal texts, and one edit is at most 1', () => {
  const word = fc.string({ maxLength: 12 });
  fc.assert(
    fc.property(word, word, fc.nat(12), fc.string({ minLength: 1, maxLength: 1 }), (from, to, index, character) => {
      expect(editDistance(from, to)).toBe(editDistance(to, from));
      expect(editDistance(from, to) === 0).toBe(from === to);
      expect(editDistance(from, from.slice(0, index) + character + from.slice(index))).toBeLessThanOrEqual(1);
    }),
  );
});

test('the nearest is close or nothing', () => {
  expect(nearest('T-0024', ['T-0100', 'T-0042', 'other'])).toBe('T-0042');
  expect(nearest('deplyo', ['deploy', 'destroy'])).toBe('deploy');
  expect(nearest('t-0042', ['T-0042'])).toBe('T-0042');
  expect(nearest('xyz', ['T-0042'])).toBeUndefined();
  expect(nearest('x'.repeat(300), ['x'.repeat(300)])).toBeUndefined();
  expect(nearest('a', [])).toBeUndefined();
});
