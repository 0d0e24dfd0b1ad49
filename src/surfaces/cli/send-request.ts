import { nextCommand, runView, stateWord } from '../../views/runs.ts';
import type { CliContext } from './cli-context.ts';
import type { RunRequest } from './program.ts';

/** Sends a request to whoever works on the run, or lets it take effect here when nobody does; says which. */
export async function sendRequest(context: CliContext, runId: string, request: RunRequest): Promise<void> {
  const answer = await context.withProgram((program) => program.requestRun(runId, request));
  const { requestId, state, run } = answer;
  await context.result(
    () => ({ requestId, state, run: runView(run) }),
    () => {
      const told =
        state === 'done'
          ? `${request.kind}: done`
          : `${request.kind}: asked for; the process that works on the run has not answered yet`;
      return `${told}\n${run.runId} ${stateWord(run)}`;
    },
  );
  const next = nextCommand(run);
  if (!context.json && next !== null) await context.note(`${context.progressPalette.cyan('next:')}   ${next}`);
}
