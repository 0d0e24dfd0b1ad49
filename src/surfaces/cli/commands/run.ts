import type { Command } from 'commander';
import type { JsonValue } from '../../../contract/json.ts';
import { idArgument, nonEmpty, repeated } from '../argument-parsers.ts';
import type { CliContext } from '../cli-context.ts';
import { typedJson } from '../typed-input.ts';
import { usageError } from '../usage-error.ts';
import { workOnRun } from '../work-on-run.ts';

interface Options {
  readonly task?: readonly string[];
  readonly workflow?: string;
  readonly input?: string;
  readonly key?: string;
  readonly wait: boolean;
}

export function define(command: Command, context: () => CliContext): void {
  command
    .option(
      '-t, --task <id>',
      'a task of waybill.tasks/; several run in order, in one run',
      repeated(idArgument('task')),
    )
    .option('-w, --workflow <name>', 'a workflow of waybill.config.ts (default for tasks: task)', idArgument('name'))
    .option('-i, --input <json>', 'the input of the workflow: JSON, @FILE, or - for standard input')
    .option('--key <text>', 'idempotency key: two starts with one key are one run', nonEmpty)
    .option('--no-wait', 'run in the background; prints the run id', true)
    .addHelpText(
      'after',
      `
The exit code is 0 only when the run succeeded; a run that failed, was canceled, or waits for somebody gives 1.

Examples:
  $ waybill run --task T-0042
  $ waybill run --task T-0042 --task T-0043
  $ waybill run --workflow deploy --input '{"target": "staging"}'
  $ waybill run --workflow deploy --input @input.json --no-wait
  $ waybill run --task T-0042 --json | jq -c 'select(.type == "step.failed")'`,
    )
    .action(async (options: Options) => {
      const { tasks, workflow } = whatToRun(options);
      const input: JsonValue =
        options.input === undefined ? null : await typedJson(context(), '--input', options.input);
      await workOnRun(context(), options, (program) =>
        program.startRun({ workflow, tasks, input, key: options.key ?? null }),
      );
    });
}

function whatToRun({ task: tasks = [], workflow, input }: Options): {
  readonly tasks: readonly string[];
  readonly workflow: string;
} {
  if (workflow === undefined && tasks.length === 0) {
    throw usageError(
      'nothing to run',
      'Name a task (--task T-0001) or a workflow (--workflow NAME). For one command: waybill exec -- COMMAND.',
    );
  }
  if (workflow === undefined && input !== undefined) {
    throw usageError(
      '--input belongs to a workflow, and none is named',
      'Add --workflow NAME; the inputs of a task are in its file.',
    );
  }
  const twice = tasks.find((task, index) => tasks.indexOf(task) !== index);
  if (twice !== undefined) throw usageError(`the task ${twice} is named twice`, 'Each task runs once in a run.');
  return { tasks, workflow: workflow ?? 'task' };
}
