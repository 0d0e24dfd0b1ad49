import type { Command } from 'commander';
import { WaybillError } from '../../contract/errors.ts';
import type { RunState } from '../../contract/evidence.ts';
import { idArgument, nonEmpty } from './argument-parsers.ts';
import type { CliContext } from './cli-context.ts';
import { sendRequest } from './send-request.ts';
import { stepName } from './step-words.ts';

interface Options {
  readonly comment?: string;
  readonly key?: string;
}

/** `approve` and `deny` differ in one word. */
export function defineAnswer(kind: 'approve' | 'deny', command: Command, context: () => CliContext): void {
  command
    .argument('<run>', 'the run', idArgument('run'))
    .argument('[approval]', 'which approval, when the run waits for several', nonEmpty)
    .option('--comment <text>', 'why; kept in the ledger', nonEmpty)
    .option('--key <text>', 'idempotency key: the same answer twice is one', nonEmpty)
    .addHelpText(
      'after',
      `
Examples:
  $ waybill ${kind} run-20261122-210500-0a1b2c3d
  $ waybill ${kind} run-20261122-210500-0a1b2c3d release --comment "looked at the diff"`,
    )
    .action(async (runId: string, approval: string | undefined, { comment, key }: Options) => {
      await sendRequest(context(), runId, key, async (program) => ({
        kind,
        step: approval ?? theOnlyApproval(await program.showRun(runId)),
        comment: comment ?? null,
      }));
    });
}

/** @throws WaybillError `run_not_waiting` when the run waits for none, `invalid_argument` when for several */
function theOnlyApproval(run: RunState): string {
  const open = run.pending.filter(({ action }) => action === 'approval').map(({ step }) => stepName(step));
  const [first, second] = open;
  if (first === undefined) {
    throw new WaybillError('run_not_waiting', `${run.runId} waits for no approval: it is ${run.state}`, {
      hint: `See what it does: waybill show ${run.runId}`,
    });
  }
  if (second === undefined) return first;
  throw new WaybillError('invalid_argument', `${run.runId} waits for several approvals: ${open.join(', ')}`, {
    hint: `Name one: waybill approve ${run.runId} ${first}`,
  });
}
