import fc from 'fast-check';
import { expect, test } from 'vitest';
import { backoffMs } from './backoff.ts';

const settings = { backoffMs: 5_000, maxBackoffMs: 3_600_000 };

test('G18 the pause is random up to a bound that doubles, and stays within the longest one', () => {
  const bounds = [1, 2, 3, 4, 10, 11, 1_000].map((tries) => backoffMs(settings, tries, null, () => 1));
  expect(bounds).toEqual([5_000, 10_000, 20_000, 40_000, 2_560_000, 3_600_000, 3_600_000]);
  expect(backoffMs(settings, 7, null, () => 0)).toBe(0);
  expect(backoffMs(settings, 2, null, () => 0.5)).toBe(5_000);
});

test('G18 a receiver that asks for a pause gets it, within an hour', () => {
  expect(backoffMs(settings, 1, 60_000, () => 1)).toBe(60_000);
  expect(backoffMs(settings, 1, 1_000, () => 1)).toBe(5_000);
  expect(backoffMs(settings, 1, 10 ** 12, () => 0)).toBe(3_600_000);
  const any = fc.record({ tries: fc.integer({ min: 1, max: 100 }), asked: fc.integer({ min: 0, max: 10 ** 13 }) });
  fc.assert(
    fc.property(any, fc.double({ min: 0, max: 1, noNaN: true }), ({ tries, asked }, random) => {
      const wait = backoffMs(settings, tries, asked, () => random);
      expect(wait).toBeGreaterThanOrEqual(Math.min(asked, 3_600_000));
      expect(wait).toBeLessThanOrEqual(3_600_000);
    }),
  );
});
