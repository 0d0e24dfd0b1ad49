import { expect, test } from 'vitest';
import { describeResult, runCheck } from './check.ts';

test('a check that looked at something and found nothing wrong passes', async () => {
  const result = await runCheck({ name: 'x', run: async () => ({ counts: { files: 2 }, problems: [] }) });
  expect(result.passed).toBe(true);
  expect(describeResult(result)).toBe('ok   x: 2 files');
});

test('a check that looked at nothing fails', async () => {
  const zero = await runCheck({ name: 'x', run: async () => ({ counts: { files: 3, edges: 0 }, problems: [] }) });
  expect(zero.problems).toEqual(['looked at 0 edges']);
  const silent = await runCheck({ name: 'x', run: async () => ({ counts: {}, problems: [] }) });
  expect(silent.passed).toBe(false);
});

test('a check that throws fails with what it threw', async () => {
  const result = await runCheck({ name: 'x', run: () => Promise.reject(new Error('broken')) });
  expect(result.passed).toBe(false);
  expect(describeResult(result)).toMatch(/^FAIL x: nothing counted\n {7}Error: broken/);
});
