import { WaybillError } from '../../contract/errors.ts';
import type { LedgerEvent } from '../../contract/evidence.ts';

/** Holds what follows one run to its promise: no event is missing, none comes twice, each continues the one before. */
export class EventOrder {
  readonly #runId: string;
  #cursor: number;
  #digest: string | null = null;

  constructor(runId: string, since: number) {
    this.#runId = runId;
    this.#cursor = since;
  }

  /** `seq` of the last event that was taken. */
  get cursor(): number {
    return this.#cursor;
  }

  /** @throws WaybillError `stream_broken` */
  take({ runId, seq, previous, digest }: LedgerEvent): void {
    if (runId !== this.#runId) throw this.#broken(`an event of ${runId} came`);
    if (seq !== this.#cursor + 1) throw this.#broken(`event ${seq} came where ${this.#cursor + 1} belongs`);
    if (this.#digest !== null && previous !== this.#digest) {
      throw this.#broken(`event ${seq} does not continue event ${this.#cursor}`);
    }
    this.#cursor = seq;
    this.#digest = digest;
  }

  #broken(why: string): WaybillError {
    return new WaybillError('stream_broken', `the stream of events of ${this.#runId} is broken: ${why}`, {
      hint: `What came before is sound. Look what the store holds: waybill verify ${this.#runId}`,
      details: { runId: this.#runId, cursor: this.#cursor },
    });
  }
}
