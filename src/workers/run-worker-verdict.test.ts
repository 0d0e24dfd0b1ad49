import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type ErrorCode, errorCodes, WaybillError } from '../contract/errors.ts';
import { mostFailures, verdictOn } from './run-worker-verdict.ts';

const anyCode = fc.constantFrom(...Object.keys(errorCodes).filter((name) => isCode(name)));

function isCode(name: string): name is ErrorCode {
  return Object.hasOwn(errorCodes, name);
}

test('whatever goes wrong, a run is left to who has it, tried again within a minute, or parked after eight in a row', () => {
  fc.assert(
    fc.property(
      anyCode,
      fc.nat(20),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (code, failures, chance) => {
        const verdict = verdictOn(new WaybillError(code, 'x'), { failures, tookMs: 10 }, () => chance);
        switch (verdict.kind) {
          case 'leave':
            return;
          case 'park':
            expect(verdict.code).toBe(code);
            return;
          case 'retry':
            expect(failures + 1).toBeLessThan(mostFailures);
            expect(verdict.inMs).toBeGreaterThanOrEqual(0);
            expect(verdict.inMs).toBeLessThan(Math.min(60_000, 1_000 * 2 ** failures));
        }
      },
    ),
  );
});

test('what trying again cannot mend is parked at once, what somebody else has is left alone', () => {
  const kindOf = (code: ErrorCode) => verdictOn(new WaybillError(code, 'x'), { failures: 0, tookMs: 10 }).kind;
  for (const code of ['nondeterministic_workflow', 'drift', 'workflow_not_found', 'containment_failed'] as const) {
    expect(kindOf(code), code).toBe('park');
  }
  for (const code of ['lease_lost', 'stale_epoch', 'lease_held', 'invalid_transition'] as const) {
    expect(kindOf(code), code).toBe('leave');
  }
  for (const code of ['store_unavailable', 'store_busy', 'store_full', 'file_write_failed', 'internal'] as const) {
    expect(kindOf(code), code).toBe('retry');
  }
  expect(verdictOn(new TypeError('a defect'), { failures: 0, tookMs: 10 })).toMatchObject({
    kind: 'retry',
    code: 'internal',
  });
  expect(verdictOn('a text', { failures: 7, tookMs: 10 })).toEqual({ kind: 'park', code: 'internal', failures: 8 });
});

test('a run that made progress before it failed is not set aside for failures of long ago', () => {
  const busy = new WaybillError('store_busy', 'x');
  expect(verdictOn(busy, { failures: 7, tookMs: 59_000 })).toMatchObject({ kind: 'park', failures: 8 });
  expect(verdictOn(busy, { failures: 7, tookMs: 61_000 })).toMatchObject({ kind: 'retry', failures: 1 });
});
