import type { RunState } from '../../contract/evidence.ts';
import { nextCommand, runView, stateWord } from '../../views/runs.ts';
import type { Palette } from './palette.ts';
import { printableLine } from './printable.ts';
import { stepName } from './step-words.ts';

/** A run for a person: one fact a line, and what to do next. */
export function runText(state: RunState, { bold, dim, green, red, yellow }: Palette): string {
  const run = runView(state);
  const paint = run.state === 'succeeded' ? green : run.state === 'failed' ? red : yellow;
  const facts: (readonly [string, string | null])[] = [
    ['workflow', run.tool === null ? run.workflow : `${run.workflow} ${run.tool}`],
    ['tasks', run.tasks.length === 0 ? null : run.tasks.join(', ')],
    ['at', run.currentStep && currentText(run.currentStep)],
    [
      'pending',
      run.pending.length < 2 ? null : run.pending.map(({ step }) => printableLine(stepName(step))).join(', '),
    ],
    ['reason', run.reason && `${run.reason.code}: ${printableLine(run.reason.message)}`],
    ['output', run.output === null ? null : printableLine(JSON.stringify(run.output))],
    ['steps', `${run.steps} finished, ${run.lastSeq} events`],
    ['snapshot', run.snapshot?.id ?? null],
    ['created', `${run.createdAt} by ${run.actor}`],
    ['started', run.startedAt],
    ['finished', run.finishedAt],
    ['wakes', run.wakeAt],
    [
      'holder',
      run.holder && `process ${run.holder.pid} on ${printableLine(run.holder.host)}${run.holder.alive ? '' : ', gone'}`,
    ],
    ['origin', run.origin && originText(run.origin)],
    [
      'shared by',
      run.sharedBy.length === 0 ? null : run.sharedBy.map(({ runId, kind }) => `${runId} (${kind})`).join(', '),
    ],
    ['commit', commitOf(run)],
    ['processes', run.provenance && `${run.provenance.containment.how}: ${run.provenance.containment.means}`],
    ['next', nextCommand(run)],
  ];
  const lines = facts.flatMap(([name, fact]) => (fact === null ? [] : [`  ${dim(name.padEnd(9))} ${fact}`]));
  return [`${bold(run.runId)} ${paint(stateWord(run))}`, ...lines].join('\n');
}

function currentText(step: NonNullable<RunState['currentStep']>): string {
  const attempt = step.attempt === 1 ? '' : `, attempt ${step.attempt}`;
  const stage = step.stage === step.name ? '' : ` (${step.stage})`;
  return `${printableLine(step.name)}${stage}${attempt}, since ${step.startedAt}`;
}

function originText({ runId, kind, from, reason }: NonNullable<RunState['origin']>): string {
  const at = from === null ? '' : ` from ${printableLine(from)}`;
  return `${kind} of ${runId}${at}${reason === null ? '' : `: ${printableLine(reason)}`}`;
}

function commitOf({ provenance }: RunState): string | null {
  if (provenance === null || !provenance.checkout.commit.known) return null;
  const { commit, dirty } = provenance.checkout;
  return `${commit.value}${dirty.known && dirty.value ? ', with uncommitted changes' : ''}`;
}
