import type { RunId } from '../../contract/ids.ts';
import type { Engine } from './engine.ts';
import type { Execution } from './execution/execution.ts';
import { sql } from './ledger/statements.ts';
import { answers, commentOf, doneRow, openCancel, type RequestRow, requestEvents } from './requests.ts';
import { settleWait } from './steps/wait-step.ts';

const everyMs = 100;
const anyOpenOf = sql('SELECT 1 FROM run_request WHERE run = ? AND done_at IS NULL LIMIT 1');
const anyOpen = sql('SELECT 1 FROM run_request WHERE done_at IS NULL LIMIT 1');

/**
 * Where the holder learns what others ask of its runs: one timer and one read for all runs of this process.
 * Requests are rows, so none is lost when the holder dies before it looked.
 */
export class RequestInbox {
  readonly #engine: Engine;
  readonly #held = new Map<string, Execution>();
  #timer: NodeJS.Timeout | undefined;
  #reading = false;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  watch(run: RunId, execution: Execution): void {
    this.#held.set(run, execution);
    this.#timer ??= setInterval(() => void this.#look(), everyMs).unref();
  }

  /**
   * Serves a cancel that was asked for while nobody held the run, or that its last holder did not live to serve:
   * nothing of a run is executed once more after somebody was told that its end is asked for.
   */
  async serveKeptCancel(run: RunId, execution: Execution): Promise<void> {
    try {
      const kept = await openCancel(this.#engine, run);
      if (kept !== undefined) await this.#serve(execution, kept);
    } catch (error) {
      execution.stop({ kind: 'error', error });
    }
  }

  /** Serves the signals that came before the run waited for them. @throws what the store says */
  async serveKeptSignals(run: RunId, execution: Execution): Promise<void> {
    const [open] = await this.#engine.store.select(anyOpenOf, [run]);
    if (open === undefined) return;
    const kept = await this.#engine.store.read((tx) =>
      tx.db
        .selectFrom('run_request')
        .selectAll()
        .where('run', '=', run)
        .where('kind', '=', 'signal')
        .where('done_at', 'is', null)
        .orderBy('created_at')
        .execute(),
    );
    for (const request of kept) await this.#serve(execution, request);
  }

  forget(run: RunId): void {
    this.#held.delete(run);
    if (this.#held.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #look(): Promise<void> {
    if (this.#reading) return;
    this.#reading = true;
    try {
      // Most of the time there is nothing, and finding that must not cost the loading of a query builder.
      const [open] = await this.#engine.store.select(anyOpen, []);
      if (open === undefined) return;
      const requests = await this.#engine.store.read((tx) =>
        tx.db.selectFrom('run_request').selectAll().where('done_at', 'is', null).orderBy('created_at').execute(),
      );
      for (const request of requests) {
        const execution = this.#held.get(request.run);
        if (execution !== undefined) await this.#serve(execution, request);
      }
    } catch (error) {
      // A store that cannot be read for a moment: the timer comes again. One that stays so fails the run's own writes.
      await this.#engine.report({
        runId: '',
        step: null,
        agent: null,
        code: 'store_unavailable',
        message: String(error),
        details: {},
        input: undefined,
      });
    } finally {
      this.#reading = false;
    }
  }

  async #serve(execution: Execution, request: RequestRow): Promise<void> {
    switch (request.kind) {
      case 'cancel':
        return execution.stop({
          kind: 'cancel',
          request: request.id,
          actor: request.actor,
          comment: commentOf(request),
        });
      case 'pause':
        return execution.stop({ kind: 'pause', request: request.id, actor: request.actor });
      case 'approve':
      case 'deny':
      case 'signal': {
        // A stopped execution answers nothing any more; who asked does it once the lease is free.
        if (execution.stopReason !== undefined) return;
        const waiting = [...execution.waits.values()].map((wait) => wait.pending);
        const answer = answers(request, waiting);
        // Read twice, by the timer and before a rest, it is served once: a second wait of its name gets the next one.
        if (answer === undefined || execution.served.has(request.id)) return;
        execution.served.add(request.id);
        const wait = execution.takeWait(answer.pending.idempotencyKey);
        if (wait === undefined) return;
        const events = requestEvents(request, answer.settlement);
        const settled = execution
          .working(() =>
            settleWait(execution.ledger, answer.pending, execution.run, answer.settlement, events, [
              doneRow(this.#engine, request, request.kind),
            ]),
          )
          .then(wait.settle, (error: unknown) => execution.stop({ kind: 'error', error }));
        // Work of a stopped execution never settles, and the other runs' requests must not wait for it.
        await Promise.race([settled, execution.stopped]);
        return;
      }
      default:
        return request.kind satisfies never;
    }
  }
}
