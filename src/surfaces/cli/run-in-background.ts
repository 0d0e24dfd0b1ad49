import { type ErrorCode, errorCodes, WaybillError } from '../../contract/errors.ts';
import type { JsonValue } from '../../contract/json.ts';
import type { CliContext } from './cli-context.ts';
import { fieldOf } from './step-words.ts';

/**
 * `--no-wait`: the same command in a process of its own. Returns when the run is durable and known by its id;
 * what keeps the command from starting a run is told here, as if it had run here.
 */
export async function runInBackground(context: CliContext): Promise<void> {
  const own = context.args.filter((arg, index) => !(arg === '--no-wait' && isOurs(context.args, index)));
  const { runId, pid } = await beginInBackground(context, own);
  if (context.json) {
    await context.print(JSON.stringify({ runId, pid }));
    return;
  }
  await context.print(runId);
  await context.note(`works in the background (process ${pid}); look: waybill events ${runId} --follow`);
}

/**
 * Starts a command that works on a run in a process of its own, and waits until the run is durable.
 * @throws WaybillError what kept it from making a run
 */
export async function beginInBackground(
  context: CliContext,
  args: readonly string[],
): Promise<{ readonly runId: string; readonly pid: number }> {
  const { pid, first } = await context.host.startInBackground(['--json', ...args]);
  const runId = fieldOf(first, 'runId');
  if (typeof runId !== 'string') throw errorOf(first);
  return { runId, pid };
}

/** What comes behind `--` belongs to somebody else. */
function isOurs(args: readonly string[], index: number): boolean {
  const end = args.indexOf('--');
  return end < 0 || index < end;
}

function errorOf(document: JsonValue): WaybillError {
  const error = fieldOf(document, 'error');
  const code = fieldOf(error, 'code');
  const message = fieldOf(error, 'message');
  const hint = fieldOf(error, 'hint');
  if (typeof code !== 'string' || !isErrorCode(code)) {
    return new WaybillError('internal', 'the process in the background answered something unknown');
  }
  return new WaybillError(code, String(message), typeof hint === 'string' ? { hint } : {});
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorCodes, code);
}
