import { type Command, Option } from 'commander';
import type { JsonValue } from '../../../contract/json.ts';
import { idArgument, nonEmpty, repeated, seconds, wholeNumber } from '../argument-parsers.ts';
import type { CliContext } from '../cli-context.ts';
import type { Program, SubmitRun } from '../program.ts';
import { beginInBackground } from '../run-in-background.ts';
import { typedJson } from '../typed-input.ts';
import { usageError } from '../usage-error.ts';
import { watchFromAfar } from '../watch-from-afar.ts';
import { workOnRun } from '../work-on-run.ts';

interface Options {
  readonly workflow?: string;
  readonly input?: string;
  readonly task?: readonly string[];
  readonly priority: number;
  readonly key?: string;
  readonly wait?: true;
  readonly timeout?: number;
  /** What the process in the background is told: to work on the run itself. */
  readonly here?: true;
}

export function define(command: Command, context: () => CliContext): void {
  command
    .argument('[tool]', 'a tool of waybill.tools/', idArgument('name'))
    .option('-w, --workflow <name>', 'a workflow instead of a tool (default for tasks: task)', idArgument('name'))
    .option('-i, --input <json>', 'its input: JSON, @FILE, or - for standard input')
    .option('-t, --task <id>', 'a task of waybill.tasks/; may be repeated', repeated(idArgument('task')))
    .option('--priority <n>', 'higher goes first: -100 to 100', priority, 0)
    .option('--key <text>', 'idempotency key: two submits with one key are one run', nonEmpty)
    .option('--wait', 'show the run until it is finished; the exit code is 0 only when it succeeded')
    .option('--timeout <seconds>', 'wait no longer than this; the run goes on', seconds)
    .addOption(new Option('--here').hideHelp())
    .addHelpText(
      'after',
      `
The daemon of the workspace works on it; where none runs, a process in the background does.

Examples:
  $ waybill submit resize --input '{"file": "a.png", "width": 300}'
  $ waybill submit resize --input @job.json --key job-17 --wait --timeout 600
  $ waybill submit --workflow deploy --input '{"target": "staging"}' --priority 10`,
    )
    .action(async (tool: string | undefined, options: Options) => {
      const what = whatToRun(tool, options);
      if (options.timeout !== undefined && options.wait === undefined) {
        throw usageError('--timeout belongs to --wait', 'Without --wait nothing is waited for.');
      }
      const request = async (): Promise<SubmitRun> => ({
        what,
        tasks: options.task ?? [],
        input: await inputOf(context(), what, options),
        priority: options.priority,
        key: options.key ?? null,
      });
      if (options.here === true) {
        const asked = await request();
        return await workOnRun(context(), { wait: true }, (program) => program.startSubmitted(asked));
      }
      await context().withDaemon(
        async (program) => {
          const { runId } = await program.submitRun(await request());
          await told(context(), options, runId, (watch) => watch(program));
        },
        async () => {
          const { runId } = await beginInBackground(context(), [...context().args, '--here']);
          await told(context(), options, runId, (watch) => context().withOwnProgram(watch));
        },
      );
    });
}

/** The run's id, or with `--wait` the run itself until it is finished. */
async function told(
  context: CliContext,
  { wait, timeout }: Options,
  runId: string,
  through: (watch: (program: Program) => Promise<void>) => Promise<void>,
): Promise<void> {
  if (wait === true) {
    await context.stoppable((stop) => through((program) => watchFromAfar(context, program, runId, timeout, stop)));
    return;
  }
  await context.print(context.json ? JSON.stringify({ runId }) : runId);
  if (!context.json) await context.note(`look: waybill events ${runId} --follow`);
}

function whatToRun(tool: string | undefined, { workflow, task = [] }: Options): SubmitRun['what'] {
  if (tool !== undefined && (workflow !== undefined || task.length > 0)) {
    throw usageError('a tool is named, and a workflow too', 'Name one of them; tasks belong to a workflow.');
  }
  if (tool !== undefined) return { tool };
  if (workflow !== undefined || task.length > 0) return { workflow: workflow ?? 'task' };
  throw usageError('nothing to run', 'Name a tool (`waybill tools` lists them), a --workflow or a --task.');
}

/** Nothing typed is an empty input for a tool, as over HTTP, and none at all for a workflow. */
async function inputOf(context: CliContext, what: SubmitRun['what'], { input }: Options): Promise<JsonValue> {
  if (input !== undefined) return await typedJson(context, '--input', input);
  return 'tool' in what ? {} : null;
}

function priority(text: string): number {
  const amount = wholeNumber(0, 100)(text.replace(/^-/, ''));
  return text.startsWith('-') ? -amount : amount;
}
