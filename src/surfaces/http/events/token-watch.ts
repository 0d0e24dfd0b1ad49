import { plainRoutes } from '../../../contract/api/plain-routes.ts';
import { type ErrorCode, WaybillError } from '../../../contract/errors.ts';
import type { Tokens } from '../../../domain/workspace/tokens/tokens.ts';
import { assertMayUse, authenticate } from '../authentication.ts';
import type { Beating, Heartbeats } from './heartbeats.ts';

const refusals: ReadonlySet<ErrorCode> = new Set(['unauthorized', 'forbidden']);

/** Something that goes on only as long as the token it was asked for with is valid. */
export interface Revocable {
  refuse(error: WaybillError): void;
}

/**
 * Ends the streams whose token was revoked, has expired or may no longer follow since they began, by whichever process: within a heartbeat. Each token is
 * looked up once a beat, however many streams it opened.
 */
export class TokenWatch implements Beating {
  readonly #tokens: Pick<Tokens, 'authenticate'>;
  readonly #heartbeats: Heartbeats;
  readonly #streams = new Map<string, Set<Revocable>>();
  #looking = false;

  constructor(tokens: Pick<Tokens, 'authenticate'>, heartbeats: Heartbeats) {
    this.#tokens = tokens;
    this.#heartbeats = heartbeats;
  }

  /** @param authorization the header the stream was asked for with */
  add(authorization: string, stream: Revocable): void {
    const streams = this.#streams.get(authorization) ?? new Set();
    this.#streams.set(authorization, streams.add(stream));
    this.#heartbeats.add(this);
  }

  delete(authorization: string, stream: Revocable): void {
    const streams = this.#streams.get(authorization);
    streams?.delete(stream);
    if (streams?.size === 0) this.#streams.delete(authorization);
    if (this.#streams.size === 0) this.#heartbeats.delete(this);
  }

  beat(): void {
    if (!this.#looking) void this.#look();
  }

  async #look(): Promise<void> {
    this.#looking = true;
    for (const [authorization, streams] of [...this.#streams]) {
      const refusal = await this.#refusalOf(authorization);
      if (refusal !== null) for (const stream of [...streams]) stream.refuse(refusal);
    }
    this.#looking = false;
  }

  async #refusalOf(authorization: string): Promise<WaybillError | null> {
    try {
      const caller = await authenticate(this.#tokens, { authorization });
      assertMayUse(caller, { role: plainRoutes.events.role, method: plainRoutes.events.method, repo: null });
      return null;
    } catch (error) {
      // A store that cannot be asked says nothing about the token, and is told by what follows the events themselves.
      return error instanceof WaybillError && refusals.has(error.code) ? error : null;
    }
  }
}
