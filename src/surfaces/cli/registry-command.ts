import type { Command } from 'commander';
import type { WrittenCoordinate } from '../../domain/registry/packages/parse-coordinate.ts';
import { idArgument, nonEmpty, wholeNumber } from './argument-parsers.ts';
import type { CliContext } from './cli-context.ts';
import type { OwnRegistry } from './program.ts';

/** What every command of the registry takes. */
export interface RepoOption {
  readonly repo: string;
}

export interface PageOptions {
  readonly limit: number;
  readonly cursor?: string;
}

const mostRows = 200;

export function takesRepo(command: Command): Command {
  return command.option('--repo <key>', 'the repo', idArgument('repo'), 'local');
}

export function takesPage(command: Command): Command {
  return command
    .option('--limit <n>', 'how many at most', wholeNumber(1, mostRows), 50)
    .option('--cursor <text>', 'go on where a list ended', nonEmpty);
}

/** The registry of this workspace, in this process. */
export function withRegistry<T>(context: CliContext, use: (own: OwnRegistry) => Promise<T>): Promise<T> {
  return context.withOwnProgram(async (program) => await use(await program.registry()));
}

/** A package as it was typed; what is wrong with it is said in the words of the domain. */
export async function typedCoordinate(text: string): Promise<WrittenCoordinate> {
  const { parseCoordinate } = await import('../../domain/registry/packages/parse-coordinate.ts');
  return parseCoordinate(text);
}

/** `2026-11-22 21:05:00`, for a table that says UTC. */
export function shortTime(time: string | null): string {
  return time === null ? '' : time.slice(0, 19).replace('T', ' ');
}

/** The line under a list that has more. */
export function moreLine(context: CliContext, nextCursor: string | null): string {
  if (nextCursor === null) return '';
  return `\n${context.palette.dim(`more: add --cursor ${nextCursor}`)}`;
}
