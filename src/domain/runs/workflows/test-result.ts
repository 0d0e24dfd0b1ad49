import { z } from 'zod';
import { WaybillError } from '../../../contract/errors.ts';
import type { JsonObject } from '../../../contract/json.ts';

const testResult = z.object({
  passed: z.int().min(0),
  failed: z.int().min(0),
  skipped: z.int().min(0).optional(),
  /** Names of the failed tests. */
  failures: z.array(z.string()).default([]),
});

/**
 * Holds a builder to its tests: its completion carries `tests: { passed, failed, failures }`, and none failed but
 * those that are declared as allowed to.
 * @throws WaybillError `test_result_missing`, `test_result_malformed`, `tests_failed`
 */
export function requireTestResult(outputs: JsonObject, allowedFailures: readonly string[]): void {
  if (outputs.tests === undefined || outputs.tests === null) {
    throw new WaybillError('test_result_missing', 'the builder completed without a test result', {
      hint: 'A builder answers with `tests: { passed, failed, failures }` in its outputs.',
    });
  }
  const parsed = testResult.safeParse(outputs.tests);
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `tests/${issue.path.join('/')}: ${issue.message}`);
    throw new WaybillError(
      'test_result_malformed',
      `the builder's test result cannot be read: ${problems.join('; ')}`,
      {
        hint: '`tests` is `{ passed, failed, failures }`: two counts and the names of the failed tests.',
      },
    );
  }
  const { passed, failed, failures } = parsed.data;
  const allowed = new Set(allowedFailures);
  const unexpected = failures.filter((name) => !allowed.has(name));
  const unnamed = failed - failures.length;
  if (unexpected.length > 0 || unnamed > 0) {
    const names = unexpected.length > 0 ? `: ${unexpected.slice(0, 5).join(', ')}` : '';
    throw new WaybillError('tests_failed', `${failed} of ${passed + failed} tests failed${names}`, {
      hint: 'Mend them, or declare failures that are expected under `tests.allowedFailures` in waybill.config.ts.',
      details: { passed, failed, unexpected },
    });
  }
}
