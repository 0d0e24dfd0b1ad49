import { spawn } from 'node:child_process';

/** Runs the project's real test suite and reads its result as a builder has to give it. */
export async function runTests(workspace: string, signal: AbortSignal) {
  // A test runner that finds itself inside another one would report to that one.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const suite = spawn(process.execPath, ['--test', '--test-reporter=tap'], { cwd: workspace, env, signal });
  let report = '';
  suite.stdout.on('data', (part) => {
    report += part;
  });
  await new Promise((resolve, reject) => suite.on('error', reject).on('close', resolve));
  const count = (word: string) => Number(new RegExp(`^# ${word} (\\d+)$`, 'm').exec(report)?.[1]);
  const failures = [...report.matchAll(/^not ok \d+ - (.+)$/gm)].map(([, name]) => name ?? '');
  return { passed: count('pass'), failed: count('fail'), failures };
}
