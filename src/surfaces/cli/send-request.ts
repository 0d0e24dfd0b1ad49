import { nextCommand, runView, stateWord } from '../../views/runs.ts';
import type { CliContext } from './cli-context.ts';
import type { Program, RequestAnswer, RunRequest } from './program.ts';

/**
 * Asks something of a run: its holder does it, or this process when nobody holds it; says who and what came of it.
 * `request` may look at the run first.
 */
export async function sendRequest(
  context: CliContext,
  runId: string,
  key: string | undefined,
  request: (program: Program) => RunRequest | Promise<RunRequest>,
): Promise<void> {
  await context.withProgram(async (program) => {
    const asked = await request(program);
    const answer = await program.requestRun(runId, asked, key ?? null);
    const run = await program.showRun(runId);
    await context.result(
      () => ({ ...answer, run: runView(run) }),
      () => `${words(asked, answer)}\n${run.runId} ${stateWord(run)}`,
    );
    const next = nextCommand(run);
    if (!context.json && next !== null) await context.note(`${context.progressPalette.cyan('next:')}   ${next}`);
  });
}

const done = {
  cancel: 'canceled: no process of the run is left',
  pause: 'paused',
  approve: 'approved',
  deny: 'denied',
  signal: 'the signal has arrived',
} as const satisfies Record<RunRequest['kind'], string>;

function words({ kind }: RunRequest, { outcome }: RequestAnswer): string {
  switch (outcome) {
    case 'done':
      return done[kind];
    case 'kept':
      return 'nobody waits for it yet: it is kept, and the run will find it';
    case 'unchanged':
      return 'there was nothing to do';
    default:
      return outcome satisfies never;
  }
}
