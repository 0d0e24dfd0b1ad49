/** What one check found. A count of zero is a failure: a check that looked at nothing has not checked anything. */
export interface CheckReport {
  /** How many of what was looked at: `{ files: 31, imports: 120 }`. */
  readonly counts: Readonly<Record<string, number>>;
  readonly problems: readonly string[];
}

export interface Check {
  readonly name: string;
  readonly run: () => Promise<CheckReport>;
}

export interface CheckResult extends CheckReport {
  readonly name: string;
  readonly passed: boolean;
}

/** Runs one check; a check that throws has failed, it never takes the others with it. */
export async function runCheck(check: Check): Promise<CheckResult> {
  try {
    const report = await check.run();
    const zero = Object.entries(report.counts).filter(([, count]) => !(count > 0));
    const none = Object.keys(report.counts).length === 0 ? ['says nothing about what it looked at'] : [];
    const problems = [...report.problems, ...none, ...zero.map(([what]) => `looked at 0 ${what}`)];
    return { name: check.name, counts: report.counts, problems, passed: problems.length === 0 };
  } catch (error) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { name: check.name, counts: {}, problems: [text], passed: false };
  }
}

/** `layers: 31 files, 120 imports: ok`, or the problems below it. */
export function describeResult(result: CheckResult): string {
  const counts = Object.entries(result.counts).map(([what, count]) => `${count} ${what}`);
  const head = `${result.passed ? 'ok  ' : 'FAIL'} ${result.name}: ${counts.join(', ') || 'nothing counted'}`;
  return [head, ...result.problems.map((problem) => problem.replaceAll(/^/gm, '       '))].join('\n');
}
