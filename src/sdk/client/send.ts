import { idempotencyKeyHeader } from '../../contract/api/route.ts';
import { type Backoff, backoffMs, pause } from './backoff.ts';
import { errorOfAnswer, isPassing, unreachable } from './client-error.ts';
import type { Fetch } from './fetch.ts';

export interface SendOptions {
  readonly fetch: Fetch;
  /** The daemon, as messages name it. */
  readonly where: string;
  readonly token: string | undefined;
  readonly headers: () => Readonly<Record<string, string>>;
  /** How long a request with an idempotency key is sent again while no answer to it arrives. */
  readonly retryMs: number;
}

/** Sends requests to one daemon; every failure is a `WaybillError`, but for an abort, which is the signal's reason. */
export interface Send {
  /** The complete answer. Only a request with an idempotency key is sent a second time. */
  whole(request: Request, accepts?: Accepts): Promise<Response>;
  /** The answer as soon as it begins. */
  begun(request: Request, accepts?: Accepts): Promise<Response>;
}

/** Which answers are no problems; unless given, those with a status of 2xx. */
type Accepts = (response: Response) => boolean;

const backoff: Backoff = { firstMs: 50, mostMs: 1_000 };

export function createSend({ fetch, where, token, headers, retryMs }: SendOptions): Send {
  const once = async <T>(request: Request, read: (response: Response) => Promise<T>): Promise<T> => {
    try {
      return await read(await fetch(request));
    } catch (error) {
      if (request.signal.aborted) throw request.signal.reason;
      throw unreachable(where, error);
    }
  };
  const labelled = (request: Request) => {
    for (const [name, value] of Object.entries(headers())) request.headers.set(name, value);
    if (token !== undefined) request.headers.set('authorization', `Bearer ${token}`);
  };
  /** The answer, or the error it says; what is thrown in reading a problem is a lost connection too. */
  const answered = async (request: Request, accepts: Accepts, complete: boolean) => {
    const answer = await once(request, async (response) => {
      if (!accepts(response)) return { error: await errorOfAnswer(response) };
      if (!complete || response.body === null) return { response };
      const { status, headers: answerHeaders } = response;
      return { response: new Response(await response.arrayBuffer(), { status, headers: answerHeaders }) };
    });
    if (answer.response === undefined) throw answer.error;
    return answer.response;
  };
  return {
    whole: async (request, accepts = isOk) => {
      labelled(request);
      if (!request.headers.has(idempotencyKeyHeader)) return await answered(request, accepts, true);
      const until = Date.now() + retryMs;
      for (let failures = 1; ; failures += 1) {
        try {
          return await answered(request.clone(), accepts, true);
        } catch (error) {
          const wait = backoffMs(backoff, failures);
          if (request.signal.aborted || !isPassing(error) || Date.now() + wait > until) throw error;
          await pause(wait, request.signal);
        }
      }
    },
    begun: async (request, accepts = isOk) => {
      labelled(request);
      return await answered(request, accepts, false);
    },
  };
}

function isOk({ ok }: Response): boolean {
  return ok;
}
