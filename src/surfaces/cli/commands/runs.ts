import type { Command } from 'commander';
import type { RunStateName } from '../../../contract/evidence.ts';
import { type RunRow, runRow, stateWord } from '../../../views/runs.ts';
import { idArgument, repeated, runState, wholeNumber } from '../argument-parsers.ts';
import type { CliContext } from '../cli-context.ts';
import { durationText } from '../duration.ts';
import type { RunPage } from '../program.ts';
import { table } from '../table.ts';
import { usageError } from '../usage-error.ts';

interface Options {
  readonly state?: readonly RunStateName[];
  readonly workflow?: string;
  readonly task?: string;
  readonly limit: number;
  readonly cursor?: string;
}

const mostRows = 1_000;

export function define(command: Command, context: () => CliContext): void {
  command
    .option('--state <state>', 'only runs in this state; may be repeated', repeated(runState))
    .option('--workflow <name>', 'only runs of this workflow', idArgument('name'))
    .option('--task <id>', 'only runs that work on this task', idArgument('task'))
    .option('--limit <n>', 'how many at most', wholeNumber(1), 20)
    .option('--cursor <text>', 'go on where a list ended')
    .addHelpText(
      'after',
      `
Examples:
  $ waybill runs
  $ waybill runs --state failed --state canceled --limit 100
  $ waybill runs --json | jq -r '.runs[] | select(.interrupted) | .resume'`,
    )
    .action(async (options: Options) => {
      if (options.limit > mostRows) throw usageError(`--limit is ${mostRows} at most`, 'Go on with --cursor.');
      const page = await context().withProgram((program) =>
        program.listRuns({
          states: options.state ?? [],
          workflow: options.workflow ?? null,
          task: options.task ?? null,
          limit: options.limit,
          cursor: options.cursor ?? null,
        }),
      );
      await context().result(
        () => ({ runs: page.runs.map(runRow), nextCursor: page.nextCursor }),
        () => text(context(), page),
      );
    });
}

function text(context: CliContext, { runs, nextCursor }: RunPage): string {
  if (runs.length === 0) return 'No runs.';
  const { dim, green, red, yellow } = context.palette;
  const paint = { succeeded: green, failed: red, canceled: yellow, queued: dim, running: dim, waiting: yellow };
  const rows = runs.map((run) => [
    run.runId,
    (run.interrupted ? yellow : paint[run.state])(stateWord(run)),
    run.tool === null ? run.workflow : `${run.workflow} ${run.tool}`,
    run.tasks.join(', '),
    String(run.steps),
    run.createdAt.slice(0, 19).replace('T', ' '),
    tookText(runRow(run)),
  ]);
  const shown = table(['run', 'state', 'workflow', 'tasks', 'steps', 'created (UTC)', 'took'].map(dim), rows);
  return nextCursor === null ? shown : `${shown}\n${dim(`more: waybill runs --cursor ${nextCursor}`)}`;
}

function tookText({ startedAt, finishedAt }: Pick<RunRow, 'startedAt' | 'finishedAt'>): string {
  return startedAt === null || finishedAt === null ? '' : durationText(Date.parse(finishedAt) - Date.parse(startedAt));
}
