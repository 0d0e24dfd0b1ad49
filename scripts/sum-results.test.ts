import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'waybill-sum-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs the script over reports; a null is a report that was never written. */
function sum(...reports: (object | null)[]): { line: string | undefined; exitCode: number | null } {
  const files = reports.map((report, index) => {
    const file = join(folder, `${Math.random()}-${index}.json`);
    if (report !== null) writeFileSync(file, JSON.stringify(report));
    return file;
  });
  const script = join(import.meta.dirname, 'sum-results.ts');
  const { stdout, status } = spawnSync(process.execPath, [script, ...files], { encoding: 'utf8' });
  return { line: stdout.trimEnd().split('\n').at(-1), exitCode: status };
}

const file = (status: string, ...tests: string[]) => ({
  status,
  assertionResults: tests.map((one) => ({ status: one })),
});
const good = { numPassedTests: 10, numFailedTests: 0, success: true, testResults: [file('passed', 'passed')] };

test('checks and tests are added up', () => {
  expect(sum({ passed: 6, failed: 0 }, good)).toEqual({ line: '16 passed, 0 failed', exitCode: 0 });
});

test.each([
  [
    'a failed test',
    { ...good, numFailedTests: 2, success: false, testResults: [file('failed', 'failed')] },
    '16 passed, 2 failed',
  ],
  [
    'a file that broke outside its tests',
    { ...good, success: false, testResults: [file('failed', 'skipped')] },
    '16 passed, 1 failed',
  ],
  [
    'both',
    { ...good, numFailedTests: 1, success: false, testResults: [file('failed', 'failed'), file('failed')] },
    '16 passed, 2 failed',
  ],
  ['a run that failed and says not where', { ...good, success: false }, '16 passed, 1 failed'],
  ['no test at all', { ...good, numPassedTests: 0, testResults: [] }, '6 passed, 1 failed'],
  ['a report of another shape', { tests: 3 }, '6 passed, 1 failed'],
  ['a report that was never written', null, '6 passed, 1 failed'],
])('%s fails', (_what, report, line) => {
  expect(sum({ passed: 6, failed: 0 }, report)).toEqual({ line, exitCode: 1 });
});
