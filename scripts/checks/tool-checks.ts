import { spawn } from 'node:child_process';
import type { Check, CheckReport } from './check.ts';

interface ToolEnd {
  readonly output: string;
  readonly exitCode: number | null;
}

function runTool(root: string, command: readonly [string, ...string[]]): Promise<ToolEnd> {
  const [program, ...args] = command;
  return new Promise((resolve, reject) => {
    const tool = spawn(program, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    const parts: Buffer[] = [];
    tool.stdout.on('data', (part: Buffer) => parts.push(part));
    tool.stderr.on('data', (part: Buffer) => parts.push(part));
    tool.on('error', reject);
    tool.on('close', (exitCode) => resolve({ output: Buffer.concat(parts).toString('utf8'), exitCode }));
  });
}

/** A check by another program: its own count is read from what it prints, its exit code is the verdict. */
function toolCheck(
  root: string,
  name: string,
  command: readonly [string, ...string[]],
  what: string,
  count: RegExp,
): Check {
  return {
    name,
    run: async (): Promise<CheckReport> => {
      const { output, exitCode } = await runTool(root, command);
      const found = Number(count.exec(output)?.[1] ?? 0);
      return {
        counts: { [what]: found },
        problems: exitCode === 0 ? [] : [withoutStatistics(output) || `exit ${exitCode}`],
      };
    },
  };
}

/** What is left of a tool's output once its own numbers, such as `Memory used: 128370K`, are taken out. */
function withoutStatistics(output: string): string {
  return output.replaceAll(/^[A-Z][A-Za-z ]+: +[\d.]+[Ks]?\n/gm, '').trimEnd();
}

/** Format and lint, types, dead code. */
export function toolChecks(root: string): Check[] {
  return [
    toolCheck(
      root,
      'biome',
      ['biome', 'check', '--error-on-warnings', '--diagnostic-level=warn', '--colors=off'],
      'files',
      /Checked (\d+) files?/,
    ),
    toolCheck(root, 'types', ['tsc', '-p', '.', '--diagnostics', '--pretty', 'false'], 'files', /^Files:\s+(\d+)/m),
    toolCheck(
      root,
      'knip',
      ['knip', '--no-progress', '--reporter', './scripts/checks/knip-reporter.ts'],
      'files',
      /^(\d+) files$/m,
    ),
  ];
}
