import type { LedgerEvent } from '../../contract/evidence.ts';
import { durationText } from './duration.ts';
import type { Palette } from './palette.ts';
import { printableLine, printableLines } from './printable.ts';
import { failureText, fieldOf, findingText, listOf, numberField, stepName, textField } from './step-words.ts';

/**
 * Tells a run's events as they come, in few words: what begins, what ends and how long it took, what agents
 * say on the way. Feed it each event once, in order; it answers with the lines to print, if any.
 */
export class Transcript {
  readonly #runId: string;
  readonly #palette: Palette;
  /** Steps at work, by name, and when each began (milliseconds since 1970). */
  readonly #working = new Map<string, number>();
  /** Waits whose answer has been told already, so that their end needs no word. */
  readonly #answered = new Set<string>();
  #startedAt: number | undefined;
  /** What the last failed step said; a run that fails for it need not say it again. */
  #failure: string | undefined;

  constructor(runId: string, palette: Palette) {
    this.#runId = runId;
    this.#palette = palette;
  }

  /** The steps at work, oldest first, with the time each began. */
  get working(): readonly { readonly step: string; readonly since: number }[] {
    return [...this.#working].map(([step, since]) => ({ step, since }));
  }

  lines(event: LedgerEvent): readonly string[] {
    const { bold, dim, green, red, yellow, cyan } = this.#palette;
    const step = event.step === undefined ? '' : printableLine(stepName(event.step));
    const now = Date.parse(event.time);
    switch (event.type) {
      case 'run.queued':
        return [`${bold(this.#runId)} queued${this.#from(event)}`];
      case 'run.started':
        this.#startedAt = now;
        return [`${bold(this.#runId)} started${this.#from(event)}`];
      case 'run.resumed':
        return [`${bold(this.#runId)} resumed`];
      case 'attempt.started': {
        const before = this.#working.has(step);
        this.#working.set(step, this.#working.get(step) ?? now);
        const attempt = event.attempt ?? 1;
        const findings = listOf(fieldOf(event.data.inputs, 'findings'));
        const told = findings.map((finding) => `    ${yellow('-')} ${printableLine(findingText(finding))}`);
        if (attempt === 1 && !before) return [`  ${cyan('▸')} ${step}`, ...told];
        return [`  ${cyan('▸')} ${step} ${dim(`attempt ${attempt}`)}`, ...told];
      }
      case 'attempt.failed': {
        const wait = numberField(event, 'retryInMs');
        return [
          `  ${yellow('!')} ${step} ${printableLine(failureText(event))}${wait === undefined ? '' : dim(`, again in ${durationText(wait)}`)}`,
        ];
      }
      case 'attempt.interrupted': {
        const changed = numberField(event, 'changed') ?? 0;
        const files = changed > 0 ? dim(`, ${changed} file${changed === 1 ? '' : 's'} had been changed by then`) : '';
        return [`  ${yellow('!')} ${step} was interrupted${files}`];
      }
      case 'step.succeeded': {
        if (this.#answered.delete(step)) return [];
        const artifacts = listOf(event.data.artifacts).length;
        const files = artifacts > 0 ? [`${artifacts} artifact${artifacts === 1 ? '' : 's'}`] : [];
        const facts = [...this.#took(step, now), ...files].join(', ');
        return [`  ${green('✓')} ${step}${facts === '' ? '' : ` ${dim(facts)}`}`];
      }
      case 'step.failed':
        this.#failure = printableLine(failureText(event));
        return [[`  ${red('✗')} ${step}`, ...this.#took(step, now).map(dim), this.#failure].join(' ')];
      case 'agent.log':
      case 'agent.progress':
        return [dim(`    │ ${printableLine(textField(event, 'message') ?? '')}`)];
      case 'process.output':
        return printableLines(textField(event, 'text') ?? '').map((line) => `    ${dim('│')} ${line}`);
      case 'approval.requested':
        return [
          `  ${yellow('?')} ${step} ${printableLine(promptOf(event))}`,
          dim(`    answer with: waybill approve ${this.#runId}, or: waybill deny ${this.#runId}`),
        ];
      case 'approval.answered': {
        this.#answered.add(step);
        const actor = printableLine(textField(event, 'actor') ?? 'somebody');
        const approved = fieldOf(event.data.answer, 'approved') === true;
        return [approved ? `  ${green('✓')} ${step} approved by ${actor}` : `  ${red('✗')} ${step} denied by ${actor}`];
      }
      case 'sleep.started':
        return [`  ${dim('…')} ${step} sleeps${untilText(event)}`];
      case 'signal.awaited':
        return [
          `  ${yellow('?')} ${step} waits for a signal`,
          dim(`    send it with: waybill signal ${this.#runId} ${printableLine(event.step?.name ?? 'NAME')}`),
        ];
      case 'signal.received':
        this.#answered.add(step);
        return [`  ${green('✓')} ${step} got its signal`];
      case 'decision.recorded':
        return [`  ${green('✓')} ${step} decided by ${printableLine(textField(event, 'engine') ?? 'its engine')}`];
      case 'cancel.requested':
        return [`  ${yellow('!')} cancel asked for by ${printableLine(textField(event, 'actor') ?? 'somebody')}`];
      case 'drift.accepted':
        return [`  ${yellow('!')} changes of the workspace accepted`];
      case 'run.waiting':
        return [`${yellow('waiting')} ${dim('no process is kept meanwhile')}`];
      case 'run.paused':
        return [`${yellow('paused')} ${dim(`go on with: waybill resume ${this.#runId}`)}`];
      case 'run.interrupted': {
        this.#working.clear();
        const why = printableLine(failureText(event));
        return [
          `${yellow('interrupted')} ${why === '' ? '' : `${why} `}${dim(`go on with: waybill resume ${this.#runId}`)}`,
        ];
      }
      case 'run.succeeded':
        return [`${green('succeeded')}${this.#total(now)}`];
      case 'run.failed': {
        const why = printableLine(failureText(event));
        return [`${red('failed')}${this.#total(now)}${why === this.#failure ? '' : ` ${why}`}`];
      }
      case 'run.canceled':
        return [`${yellow('canceled')}${this.#total(now)}`];
      case 'process.started':
      case 'process.ended':
      case 'agent.hello':
        return [];
      default:
        return event.type satisfies never;
    }
  }

  /** How long a step was at work, if its beginning was told. */
  #took(step: string, now: number): readonly string[] {
    const since = this.#working.get(step);
    this.#working.delete(step);
    return since === undefined ? [] : [durationText(now - since)];
  }

  /** How long the run took; nothing when its beginning was another process's to tell. */
  #total(now: number): string {
    this.#working.clear();
    return this.#startedAt === undefined ? '' : ` ${this.#palette.dim(`after ${durationText(now - this.#startedAt)}`)}`;
  }

  #from(event: LedgerEvent): string {
    const origin = fieldOf(event.data.origin, 'runId');
    return typeof origin === 'string' ? this.#palette.dim(`, from ${printableLine(origin)}`) : '';
  }
}

function promptOf(event: LedgerEvent): string {
  const prompt = fieldOf(event.data.inputs, 'prompt');
  return typeof prompt === 'string' ? prompt : '';
}

/** The ledger holds the end of a wait in microseconds since 1970. */
function untilText(event: LedgerEvent): string {
  const until = numberField(event, 'until');
  return until === undefined ? '' : ` until ${new Date(until / 1000).toISOString()}`;
}
