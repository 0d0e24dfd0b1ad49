import { Command, CommanderError } from 'commander';
import { CliContext, type GlobalOptions } from './cli-context.ts';
import { commandTable } from './command-table.ts';
import type { Host } from './program.ts';
import { reportError } from './report-error.ts';
import { usageError } from './usage-error.ts';

/**
 * The command line: reads the arguments (without the program's own name), runs one command, prints.
 * @returns the exit code: 0 done, 1 the work failed, 2 usage or configuration, 3 infrastructure, 130/143 stopped
 */
export async function runCli(args: readonly string[], host: Host): Promise<number> {
  const context: { current: CliContext | undefined } = { current: undefined };
  const root = rootCommand(host, args);
  const printed: string[] = [];
  configure(root, (text) => printed.push(text));
  const forCommand = () => {
    context.current ??= new CliContext(host, globalOptions(root), args);
    return context.current;
  };
  const loaders = new Map<Command, () => Promise<void>>();
  for (const { name, summary, load } of commandTable) {
    const command = root.command(name).description(summary);
    loaders.set(command, async () => (await load()).define(command, forCommand));
  }
  root.hook('preSubcommand', (_, command) => loaders.get(command)?.());
  try {
    await root.parseAsync([...helpAsOption(args)], { from: 'user' });
    return context.current?.exitCode ?? 0;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) {
      await host.terminal.stdout.write(printed.join(''));
      return 0;
    }
    if (error instanceof CommanderError && error.code === 'commander.help') {
      // Nothing was asked for: the help is the message, and it is not a result.
      await host.terminal.stderr.write(printed.join(''));
      return 2;
    }
    const exitCode = await reportError(
      host,
      outputOptions(args),
      error instanceof CommanderError ? fromCommander(error, root, args) : error,
    );
    // Whoever stopped the command wants to know that it stopped, whatever broke on the way out.
    return context.current?.stoppedWith ?? exitCode;
  }
}

/** `publish` has a --version of its own, which commander would take for ours wherever it stands. */
function rootCommand(host: Host, args: readonly string[]): Command {
  const versionFlags = ownArguments(args).includes('publish') ? '-V' : '-V, --version';
  return new Command('waybill')
    .description('Crash-safe, provable runs of coding agents and build jobs.')
    .version(host.version, versionFlags, 'print the version')
    .option('--json', 'print JSON: one document, or one a line where it streams', false)
    .option('-C, --workspace <dir>', 'work in the workspace of this folder')
    .option('--no-daemon', 'work in this process, also where a daemon runs (or set WAYBILL_NO_DAEMON=1)')
    .option('--no-color', 'no colours, also on a terminal')
    .helpCommand('help [command]', 'show what a command does')
    .addHelpText(
      'after',
      `
Begin with:
  $ waybill init                      make this folder a workspace
  $ waybill exec -- npm test          run one command, recorded
  $ waybill run --task T-0001         let the agents do a task
  $ waybill help run                  more about a command

Exit codes: 0 done, 1 the work failed, 2 usage or configuration, 3 infrastructure, 130/143 stopped.`,
    );
}

/** Sub-commands inherit this. Output is collected, because commander's own writes cannot be awaited. */
function configure(root: Command, collect: (text: string) => void): void {
  root.configureHelp({ showGlobalOptions: true });
  root.exitOverride().configureOutput({ writeOut: collect, writeErr: collect, outputError: () => {} });
}

/** `help run` as `run --help`: commander's own help command would show a command before it is loaded. */
function helpAsOption(args: readonly string[]): readonly string[] {
  const [first, name, ...rest] = args;
  return first === 'help' && commandTable.some((command) => command.name === name) && name !== undefined
    ? [name, ...rest, '--help']
    : args;
}

function globalOptions(root: Command): GlobalOptions {
  const { json, color, workspace, daemon } = root.opts<Omit<GlobalOptions, 'workspace'> & { workspace?: string }>();
  return { json, color, workspace, daemon };
}

/** The arguments that are ours: behind `--` they belong to somebody else. */
function ownArguments(args: readonly string[]): readonly string[] {
  const end = args.indexOf('--');
  return end < 0 ? args : args.slice(0, end);
}

/** How to print an error about arguments that could not be parsed. */
function outputOptions(args: readonly string[]): { readonly json: boolean; readonly color: boolean } {
  const own = ownArguments(args);
  return { json: own.includes('--json'), color: !own.includes('--no-color') };
}

function fromCommander(error: CommanderError, root: Command, args: readonly string[]): Error {
  const [first = '', ...rest] = error.message.replace(/^error: /, '').split('\n');
  const suggestion = /^\(Did you mean (.*)\?\)$/.exec(rest.join(' '))?.[1];
  const help = `See \`${['waybill', ...commandPath(root, ownArguments(args)), '--help'].join(' ')}\`.`;
  return usageError(first, suggestion === undefined ? help : `Did you mean ${suggestion}? ${help}`);
}

/** The names of the command and of its sub-command that the arguments ask for. */
function commandPath(command: Command, args: readonly string[]): readonly string[] {
  for (const [index, arg] of args.entries()) {
    const found = command.commands.find((each) => each.name() === arg);
    if (found !== undefined) return [arg, ...commandPath(found, args.slice(index + 1))];
  }
  return [];
}
