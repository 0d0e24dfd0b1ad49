import type { Command } from 'commander';
import type { JsonObject } from '../../../contract/json.ts';
import type { ListedTask } from '../../../domain/workspace/tasks/list-tasks.ts';
import type { Task } from '../../../domain/workspace/tasks/parse-task.ts';
import type { Workspace } from '../../../domain/workspace/workspace.ts';
import { idArgument, nonEmpty, repeated } from '../argument-parsers.ts';
import type { CliContext } from '../cli-context.ts';
import { printableLine } from '../printable.ts';
import { errorDocument } from '../report-error.ts';
import { typedText } from '../typed-input.ts';

interface AddOptions {
  readonly title: string;
  readonly goal: string;
  readonly output?: readonly string[];
  readonly check?: readonly string[];
}

export function define(command: Command, context: () => CliContext): void {
  command.addHelpText(
    'after',
    `
A task is a file, waybill.tasks/<id>.md: settings between two lines of ---, then the goal as text.

Examples:
  $ waybill tasks add --title "Greet in French" --goal "greet('fr') says bonjour" --check "npm test"
  $ waybill tasks list
  $ waybill tasks show T-0001`,
  );
  command
    .command('add')
    .description('write a new task file')
    .argument('[id]', 'its id (default: the next number)', idArgument('task'))
    .requiredOption('--title <text>', 'what it is about, in a line', nonEmpty)
    .requiredOption('--goal <text>', 'what shall be different: text, @FILE, or - for standard input', nonEmpty)
    .option('--output <path>', 'a file that must exist afterwards; may be repeated', repeated(nonEmpty))
    .option('--check <command>', 'a shell command that must succeed afterwards; may be repeated', repeated(nonEmpty))
    .action((id: string | undefined, options: AddOptions) => add(context(), id, options));
  command
    .command('list')
    .description('list the tasks of the workspace')
    .action(() => list(context()));
  command
    .command('show')
    .description('show one task')
    .argument('<id>', 'its id', idArgument('task'))
    .action((id: string) => show(context(), id));
}

async function workspaceOf(context: CliContext): Promise<Workspace> {
  const { findWorkspace } = await import('../../../domain/workspace/find-workspace.ts');
  return await findWorkspace(context.start);
}

async function add(context: CliContext, id: string | undefined, options: AddOptions): Promise<void> {
  const { addTask } = await import('../../../domain/workspace/tasks/add-task.ts');
  const goal = await typedText(context, '--goal', options.goal);
  const task = await addTask(await workspaceOf(context), {
    ...(id !== undefined && { id }),
    title: options.title,
    goal,
    expectedOutputs: options.output ?? [],
    commands: options.check ?? [],
  });
  await context.result(
    () => document(task),
    () => `${task.id} ${task.path}`,
  );
  if (!context.json) await context.note(`${context.progressPalette.cyan('next:')}   waybill run --task ${task.id}`);
}

async function list(context: CliContext): Promise<void> {
  const { listTasks } = await import('../../../domain/workspace/tasks/list-tasks.ts');
  const tasks = await listTasks(await workspaceOf(context));
  await context.result(
    () => ({ tasks: tasks.map(listed) }),
    () =>
      tasks.length === 0
        ? 'No tasks. Add one: waybill tasks add --title TEXT --goal TEXT'
        : tasks.map((each) => line(context, each)).join('\n'),
  );
}

async function show(context: CliContext, id: string): Promise<void> {
  const { readTask } = await import('../../../domain/workspace/tasks/read-task.ts');
  const task = await readTask(await workspaceOf(context), id);
  await context.result(
    () => document(task),
    () => text(context, task),
  );
}

function document({ id, path, title, goal, inputs, expectedOutputs, checks, digest }: Task): JsonObject {
  return { id, path, title, goal, inputs, expectedOutputs, checks, digest };
}

function listed({ path, task, problem }: ListedTask): JsonObject {
  if (task !== undefined) return { path, id: task.id, title: task.title, error: null };
  const described = errorDocument(problem, null);
  return { path, id: null, title: null, ...described };
}

function line(context: CliContext, { path, task, problem }: ListedTask): string {
  const { bold, red } = context.palette;
  if (task !== undefined) return `${bold(task.id)}  ${printableLine(task.title)}`;
  return `${red('invalid')}  ${printableLine(path)}: ${printableLine(problem.message)}`;
}

function text(context: CliContext, task: Task): string {
  const { bold, dim } = context.palette;
  const checks = task.checks.map((check) => (check.kind === 'command' ? check.command.join(' ') : check.path));
  return [
    `${bold(task.id)} ${printableLine(task.title)}`,
    `  ${dim('file')}     ${task.path}`,
    ...(Object.keys(task.inputs).length === 0
      ? []
      : [`  ${dim('inputs')}   ${printableLine(JSON.stringify(task.inputs))}`]),
    ...task.expectedOutputs.map((path) => `  ${dim('output')}   ${printableLine(path)}`),
    ...checks.map((check) => `  ${dim('check')}    ${printableLine(check)}`),
    '',
    ...task.goal.split('\n').map((each) => printableLine(each)),
  ].join('\n');
}
