import { setImmediate as nextTurn } from 'node:timers/promises';

/** Something that gives a sign of life when it has been quiet since it was last asked. */
export interface Beating {
  beat(): void;
}

const beatenAtOnce = 64;

/** One timer for all streams of a server; none while there is no stream. */
export class Heartbeats {
  readonly #everyMs: number;
  readonly #streams = new Set<Beating>();
  #timer: NodeJS.Timeout | undefined;

  /** @param quietMs how long a stream may be quiet; streams are asked twice as often, so that none is quiet for longer */
  constructor(quietMs: number) {
    this.#everyMs = Math.max(1, Math.floor(quietMs / 2));
  }

  add(stream: Beating): void {
    this.#streams.add(stream);
    this.#timer ??= setInterval(() => void this.#beat(), this.#everyMs).unref();
  }

  delete(stream: Beating): void {
    this.#streams.delete(stream);
    if (this.#streams.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #beat(): Promise<void> {
    let beaten = 0;
    for (const stream of this.#streams) {
      stream.beat();
      if (++beaten % beatenAtOnce === 0) await nextTurn();
    }
  }
}
