import { WaybillError } from '../../contract/errors.ts';
import type { LedgerEvent } from '../../contract/evidence.ts';
import { Connection } from './connection.ts';
import { EventOrder } from './event-order.ts';
import { errorOfEnd, type FollowedDaemon, type FollowOptions } from './follow.ts';
import { readLines } from './read-lines.ts';
import { Stopping } from './stopping.ts';

export type EventsOptions = Pick<FollowOptions, 'since' | 'signal'>;

/**
 * What the ledger of a run holds now with `seq` above `since`, and then the end. Ends early when it is aborted.
 * @throws WaybillError `daemon_unreachable` when the connection is lost; `run_removed`; `stream_broken`
 */
export async function* readEvents(
  { where, silenceMs }: Pick<FollowedDaemon, 'where' | 'silenceMs'>,
  open: FollowedDaemon['open'],
  runId: string,
  { since = 0, signal }: EventsOptions,
): AsyncGenerator<LedgerEvent, void, void> {
  const order = new EventOrder(runId, since);
  using stopping = new Stopping(signal, undefined);
  using connection = new Connection(where, silenceMs, stopping.signal);
  try {
    await connection.open((ended) => open(runId, since, ended));
    for await (const line of readLines(() => connection.read())) {
      if (line.schema === 'waybill.stream-end.v1') {
        if (line.why === 'gap') throw new WaybillError('run_removed', line.message, { details: { runId, since } });
        throw errorOfEnd(line);
      }
      order.take(line);
      yield line;
    }
  } catch (error) {
    if (stopping.why === null) throw error;
  }
}
