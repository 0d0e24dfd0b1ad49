import type { ServerResponse } from 'node:http';
import type { StreamEnd } from '../../../contract/api/events.ts';
import type { WaybillError } from '../../../contract/errors.ts';
import type { RunId } from '../../../contract/ids.ts';
import type { FollowEnd, Follower } from '../../../domain/runs/ledger/follower.ts';
import type { EventForm } from './event-forms.ts';
import type { Beating } from './heartbeats.ts';
import type { Revocable } from './token-watch.ts';

export interface EventStreamParts {
  readonly runId: RunId;
  readonly response: ServerResponse;
  readonly follower: Follower;
  readonly form: EventForm;
  /** What a client is told of a failure in the middle. Must not reject. */
  readonly describe: (error: unknown) => Promise<Pick<StreamEnd, 'code' | 'message'>>;
}

/**
 * One follower's answer. It asks for the next page only when the client has taken what was sent, so at most one page
 * and what the socket holds are in memory for it, however fast the run and however slow the client.
 */
export class EventStream implements Beating, Revocable {
  readonly #parts: EventStreamParts;
  #quiet = true;
  #ending = false;
  #refusal: WaybillError | undefined;
  /** Writes whose bytes are not all with the system yet. */
  #unsent = 0;
  /** Goes on with `run`, which waits for the client, or for the reason to wait no more. */
  #resume: (() => void) | undefined;

  constructor(parts: EventStreamParts) {
    this.#parts = parts;
  }

  /** Writes until the end, or until the client is gone. The headers have been set. Never rejects. */
  async run(): Promise<void> {
    const { response, follower, form } = this.#parts;
    const resume = (): void => this.#resume?.();
    response.on('drain', resume);
    // A client torn away while it is written to; `close` follows.
    response.on('error', () => follower.stop('aborted'));
    response.once('close', () => {
      follower.stop('aborted');
      resume();
    });
    follower.stopped.addEventListener('abort', resume, { once: true });
    if (response.destroyed) follower.stop('aborted');
    if (form.opening === null) response.flushHeaders();
    else this.#write(form.opening);
    await this.#finish(await this.#writePages());
  }

  /** Called by the one timer of all streams. A client that has not taken the last bytes needs no more of them. */
  beat(): void {
    const { response, form } = this.#parts;
    if (this.#quiet && !this.#ending && !response.writableNeedDrain) response.write(form.heartbeat);
    this.#quiet = true;
  }

  /** Ends it with this error, whatever more there is. */
  refuse(error: WaybillError): void {
    this.#refusal ??= error;
    this.#parts.follower.stop('aborted');
  }

  /** @returns what to tell the client last */
  async #writePages(): Promise<StreamEnd | null> {
    const { runId, follower, form, describe } = this.#parts;
    try {
      for (;;) {
        const { page, end } = await follower.next();
        if (this.#refusal !== undefined) throw this.#refusal;
        if (end !== undefined) return streamEndOf(runId, end);
        if (!this.#write(form.page(page)) && !follower.stopped.aborted) await this.#woken();
      }
    } catch (error) {
      const { cursor } = follower;
      follower[Symbol.dispose]();
      const told = await describe(error);
      return { schema: 'waybill.stream-end.v1', runId, why: 'error', cursor, lastRemoved: null, ...told };
    }
  }

  /** Ends the answer when all of it is sent: Node takes one that has ended for idle, and a server that closes cuts it off. */
  async #finish(end: StreamEnd | null): Promise<void> {
    const { response, form } = this.#parts;
    this.#ending = true;
    if (end !== null && !response.destroyed) this.#write(form.end(end));
    while (this.#unsent > 0 && !response.destroyed) await this.#woken();
    if (!response.destroyed) response.end();
  }

  #write(bytes: Buffer): boolean {
    this.#quiet = false;
    this.#unsent++;
    return this.#parts.response.write(bytes, this.#sent);
  }

  readonly #sent = (): void => {
    this.#unsent--;
    if (this.#ending) this.#resume?.();
  };

  #woken(): Promise<void> {
    return new Promise((resolve) => {
      this.#resume = resolve;
    });
  }
}

/** What a client is told of an end; nothing at the terminal event, and at the end of what it asked for. */
function streamEndOf(runId: RunId, end: FollowEnd): StreamEnd | null {
  const { why, cursor } = end;
  const line = { schema: 'waybill.stream-end.v1', runId, cursor, lastRemoved: null, code: null } as const;
  switch (why) {
    case 'terminal':
    case 'now':
    case 'waiting':
    case 'aborted':
      return null;
    case 'deadline':
      return { ...line, why, message: 'the time this request asked for is over; the run goes on' };
    case 'drain':
      return { ...line, why, message: 'this daemon is ending: connect again and go on from the cursor' };
    case 'gap':
      return {
        ...line,
        why,
        lastRemoved: end.lastRemoved,
        message: `retention removed this run with its ${end.lastRemoved} events: what is left cannot be shown`,
      };
    default:
      return end satisfies never;
  }
}
