import type { RunState } from '../../contract/evidence.ts';
import { nextCommand, runView, stateWord } from '../../views/runs.ts';
import type { CliContext } from './cli-context.ts';
import { printableLine } from './printable.ts';

/** A command that ran something is done only when the run succeeded: `waybill run && publish` must be safe. */
export function exitCodeOf(run: RunState): number {
  return run.state === 'succeeded' ? 0 : 1;
}

/**
 * The last word of a command that worked on a run: the run as JSON, or its state, output and what to do next;
 * the reason only when no transcript has told it.
 */
export async function tellOutcome(
  context: CliContext,
  run: RunState,
  { reasonTold }: { readonly reasonTold: boolean },
): Promise<void> {
  if (context.json) {
    await context.print(JSON.stringify(runView(run)));
    return;
  }
  await context.print(`${run.runId} ${stateWord(run)}`);
  if (run.output !== null) {
    await context.print(typeof run.output === 'string' ? run.output : JSON.stringify(run.output, null, 2));
  }
  const { red, cyan } = context.progressPalette;
  if (run.reason !== null && run.state !== 'succeeded' && !reasonTold) {
    await context.note(`${red('reason:')} ${run.reason.code}: ${printableLine(run.reason.message)}`);
  }
  const next = nextCommand(run);
  if (next !== null) await context.note(`${cyan('next:')}   ${next}`);
}
