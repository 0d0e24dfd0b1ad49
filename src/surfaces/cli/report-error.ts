import { WaybillError } from '../../contract/errors.ts';
import { isJsonObject, type JsonObject } from '../../contract/json.ts';
import { paletteFor } from './palette.ts';
import { printableLine } from './printable.ts';
import type { Host } from './program.ts';

/** Any thrown value as a typed error: what is not ours is a defect of the program. */
export function typedError(error: unknown): WaybillError {
  if (error instanceof WaybillError) return error;
  const reason = error instanceof Error ? `${error.name}: ${error.message}` : `a thrown ${typeof error}`;
  return new WaybillError('internal', `something in Waybill itself went wrong: ${reason}`, {
    hint: 'Please report it; WAYBILL_DEBUG=1 shows where it happened.',
    cause: error,
  });
}

/** The document programs read. */
export function errorDocument(error: WaybillError, errorId: string | null): { readonly error: JsonObject } {
  return {
    error: {
      code: error.code,
      message: error.message,
      hint: error.hint ?? null,
      details: error.details ?? null,
      errorId,
    },
  };
}

/**
 * Tells of a failure: a person on standard error, a program by one document on standard output (so that
 * `waybill ... --json | jq` always gets a document, and the exit code says which kind).
 */
export async function reportError(
  host: Host,
  options: { readonly json: boolean; readonly color: boolean },
  thrown: unknown,
): Promise<number> {
  const error = typedError(thrown);
  const errorId = (await host.report(thrown)) ?? keptByDaemon(error);
  if (options.json) {
    await host.terminal.stdout.write(`${JSON.stringify(errorDocument(error, errorId))}\n`);
  } else {
    const { red, cyan, dim } = paletteFor(host.terminal.stderr, host.env, options.color);
    const lines = [`${red('error:')} ${printableLine(error.message)}`, ...problemLines(error)];
    if (error.hint !== undefined) lines.push(`${cyan('hint:')}  ${printableLine(error.hint)}`);
    lines.push(dim(`code:  ${error.code}${errorId === null ? '' : `  (${errorId})`}`));
    await host.terminal.stderr.write(`${lines.join('\n')}\n`);
  }
  if ((host.env.WAYBILL_DEBUG ?? '') !== '') await host.terminal.stderr.write(`${stackOf(thrown)}\n`);
  return error.exitCode;
}

/** So many are named for a person; `--json` has all. */
const mostProblems = 20;

/** What an error lists, when it is more than the one its message names. */
function problemLines({ details }: WaybillError): string[] {
  const listed = details?.problems;
  const problems: readonly JsonObject[] = Array.isArray(listed) ? listed.filter(isJsonObject) : [];
  if (problems.length < 2) return [];
  const more = problems.length - mostProblems;
  return [
    ...problems
      .slice(0, mostProblems)
      .map(({ path, message }) => `       ${printableLine(`${path} ${message}`.trim())}`),
    ...(more > 0 ? [`       and ${more} more`] : []),
  ];
}

/** A daemon that met the error keeps what is known of it, and says under which id. */
function keptByDaemon({ details }: WaybillError): string | null {
  return typeof details?.errorId === 'string' ? details.errorId : null;
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const own = error.stack ?? String(error);
  return error.cause === undefined ? own : `${own}\ncaused by: ${stackOf(error.cause)}`;
}
