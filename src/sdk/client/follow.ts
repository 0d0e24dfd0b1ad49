import type { StreamEnd } from '../../contract/api/events.ts';
import { type ErrorCode, errorCodes, WaybillError } from '../../contract/errors.ts';
import { type LedgerEvent, terminalEventTypes } from '../../contract/evidence.ts';
import { type Backoff, backoffMs, pause } from './backoff.ts';
import { isPassing, isServerError, unreachable } from './client-error.ts';
import { Connection } from './connection.ts';
import { EventOrder } from './event-order.ts';
import { readLines } from './read-lines.ts';
import { Stopping } from './stopping.ts';

export interface FollowOptions {
  /** The last `seq` already known; 0, the default, for all. */
  readonly since?: number;
  /** End after this long, with `why: 'deadline'`. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Give up when there was no connection for this long; unless given, never. */
  readonly reconnectMs?: number;
}

/** How a follow ended; `cursor` is the `seq` of the last event that was given, or `since`: go on from there. */
export type FollowEnd =
  | { readonly why: 'terminal' | 'deadline' | 'aborted'; readonly cursor: number }
  /** What lies between was removed by retention: nothing up to `lastRemoved` can be shown. */
  | { readonly why: 'gap'; readonly cursor: number; readonly lastRemoved: number | null };

/** The daemon, as far as following needs it. */
export interface FollowedDaemon {
  readonly where: string;
  /** Opens the run's events after `since`, with a follow. */
  readonly open: (runId: string, since: number, signal: AbortSignal) => Promise<ReadableStream<Uint8Array>>;
  /** `seq` of the run's terminal event; null while it has none. */
  readonly lastOf: (runId: string, signal: AbortSignal) => Promise<number | null>;
  /** How long a connection may be silent before it counts as dead. */
  readonly silenceMs: number;
  readonly backoff: Backoff;
}

/** How often in a row the daemon may fail of its own fault before that is told. */
const mostServerErrors = 5;

/**
 * The events of a run with `seq` above `since`, each once and in order, until the terminal one; the return value says
 * how it ended. A connection that is refused, lost, silent or drained is made again, from the last event.
 * @throws WaybillError `stream_broken` when the events do not follow one another; at once what the daemon refuses
 * (`run_not_found`, `unauthorized` ...); `daemon_unreachable` after `reconnectMs`
 */
export async function* follow(
  daemon: FollowedDaemon,
  runId: string,
  { since = 0, timeoutMs, signal, reconnectMs = Number.POSITIVE_INFINITY }: FollowOptions,
): AsyncGenerator<LedgerEvent, FollowEnd, void> {
  const order = new EventOrder(runId, since);
  using stopping = new Stopping(signal, timeoutMs);
  let failures = 0;
  let serverErrors = 0;
  let lostAt = performance.now();
  while (stopping.why === null) {
    let alive = false;
    let lost: unknown = unreachable(daemon.where, new Error('its streams end before the run does'));
    try {
      using connection = new Connection(daemon.where, daemon.silenceMs, stopping.signal);
      const before = order.cursor;
      const read = async () => {
        const bytes = await connection.read();
        alive ||= bytes !== null;
        return bytes;
      };
      await connection.open((ended) => daemon.open(runId, before, ended));
      let end: StreamEnd | null = null;
      for await (const line of readLines(read)) {
        if (line.schema === 'waybill.stream-end.v1') {
          end = line;
          break;
        }
        order.take(line);
        failures = 0;
        serverErrors = 0;
        yield line;
        if (isTerminal(line)) return { why: 'terminal', cursor: order.cursor };
        if (stopping.why !== null) break;
      }
      if (end?.why === 'gap') return { why: 'gap', cursor: order.cursor, lastRemoved: end.lastRemoved };
      if (end?.why === 'error') throw errorOfEnd(end);
      if (end === null && order.cursor === before && stopping.why === null) {
        // Nothing came: either all was known before, or the answer was cut off where it looks like an end.
        const last = await connection.ask((ended) => daemon.lastOf(runId, ended));
        if (last !== null && last <= before) return { why: 'terminal', cursor: before };
      }
    } catch (error) {
      if (stopping.why !== null) break;
      if (!isPassing(error)) {
        serverErrors += 1;
        if (!isServerError(error) || serverErrors >= mostServerErrors) throw error;
      }
      lost = error;
    }
    if (alive) lostAt = performance.now();
    if (performance.now() - lostAt >= reconnectMs) throw lost;
    failures += 1;
    await pause(backoffMs(daemon.backoff, failures), stopping.signal);
  }
  return { why: stopping.why, cursor: order.cursor };
}

function isTerminal({ type }: LedgerEvent): boolean {
  return terminalEventTypes.some((terminal) => terminal === type);
}

/** What went wrong in the daemon while it sent; whether it passes is told by the code, as everywhere. */
export function errorOfEnd({ code, message, runId, cursor }: StreamEnd): WaybillError {
  const known = Object.keys(errorCodes).find((each): each is ErrorCode => each === code) ?? 'internal';
  return new WaybillError(known, message, { details: { status: 500, runId, cursor } });
}
