import { readFile } from 'node:fs/promises';
import { WaybillError } from '../../contract/errors.ts';
import type { JsonValue } from '../../contract/json.ts';
import type { CliContext } from './cli-context.ts';
import { usageError } from './usage-error.ts';

/**
 * The value of an option that may be long: the text itself, `@file`, or `-` for standard input.
 * @throws WaybillError `invalid_argument` when the file cannot be read
 */
export async function typedText(context: CliContext, option: string, typed: string): Promise<string> {
  if (typed === '-') return await context.host.terminal.readInput();
  if (!typed.startsWith('@')) return typed;
  const path = context.path(typed.slice(1));
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw usageError(
      `cannot read the file of ${option}: ${reason}`,
      `${option} takes the text itself, @FILE, or - for standard input.`,
    );
  }
}

/** Like `typedText`, as JSON. @throws WaybillError `invalid_json` with the place of the mistake */
export async function typedJson(context: CliContext, option: string, typed: string): Promise<JsonValue> {
  const text = await typedText(context, option, typed);
  try {
    const value: JsonValue = JSON.parse(text);
    return value;
  } catch (error) {
    throw new WaybillError('invalid_json', `${option} is not valid JSON: ${mistakeOf(error)}`, {
      hint: `Quote it for the shell: ${option} '{"name": "value"}', or read it from a file: ${option} @FILE`,
    });
  }
}

/** V8 quotes the whole text in some messages; an input may be secret, so only token and place are told. */
function mistakeOf(error: unknown): string {
  const message = error instanceof Error ? error.message : '';
  return (
    /^Unexpected (?:token '.{1,2}'|end of JSON input)|^[^"]* at position \d+(?: \(line \d+ column \d+\))?/u.exec(
      message,
    )?.[0] ?? 'it cannot be read'
  );
}
