import { readFile } from 'node:fs/promises';
import { z } from 'zod';

// `.ci/run` ends with this: adds up the checks (`{ passed, failed }`) and the tests (vitest's JSON report) and prints
// the one line CI reads. A report that is missing, empty or of another shape counts as a failure, never as nothing.

interface Sum {
  readonly passed: number;
  readonly failed: number;
}

const checksSchema = z.object({ passed: z.int().min(0), failed: z.int().min(0) });
const testsSchema = z.object({
  numPassedTests: z.int().min(0),
  numFailedTests: z.int().min(0),
  success: z.boolean(),
  testResults: z.array(z.object({ status: z.string(), assertionResults: z.array(z.object({ status: z.string() })) })),
});

function sumOf(text: string): Sum {
  const report = z.union([checksSchema, testsSchema]).parse(JSON.parse(text));
  if ('passed' in report) return report;
  // A file that breaks outside its tests has no failed test, and still nothing of it was shown.
  const broken = report.testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && assertionResults.every((one) => one.status !== 'failed'),
  );
  const failed = report.numFailedTests + broken.length;
  return { passed: report.numPassedTests, failed: failed === 0 && !report.success ? 1 : failed };
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
