import { readFile } from 'node:fs/promises';

// `.ci/run` ends with this: adds up the checks (`{ passed, failed }`) and the tests (vitest's JSON report) and prints
// the one line CI reads. A report that is missing, empty or of another shape counts as a failure, never as nothing.

interface Sum {
  readonly passed: number;
  readonly failed: number;
}

function count(report: Readonly<Record<string, unknown>>, name: string): number {
  const value = report[name];
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0) throw new Error(`no count "${name}"`);
  return value;
}

function sumOf(text: string): Sum {
  const report: unknown = JSON.parse(text);
  if (typeof report !== 'object' || report === null) throw new Error('not a report');
  const fields: Record<string, unknown> = { ...report };
  if ('passed' in fields) return { passed: count(fields, 'passed'), failed: count(fields, 'failed') };
  // A test file that breaks before its first test has no failed test, but is a failed suite.
  const failed = count(fields, 'numFailedTests') || (fields.success === true ? 0 : 1);
  return { passed: count(fields, 'numPassedTests'), failed };
}

const sums: Sum[] = [];
for (const file of process.argv.slice(2)) {
  try {
    const sum = sumOf(await readFile(file, 'utf8'));
    sums.push(sum.passed + sum.failed > 0 ? sum : { passed: 0, failed: 1 });
  } catch (error) {
    console.log(`no result from ${file}: ${error instanceof Error ? error.message : String(error)}`);
    sums.push({ passed: 0, failed: 1 });
  }
}
const passed = sums.reduce((total, sum) => total + sum.passed, 0);
const failed = sums.reduce((total, sum) => total + sum.failed, 0);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 && sums.length > 0 ? 0 : 1;
