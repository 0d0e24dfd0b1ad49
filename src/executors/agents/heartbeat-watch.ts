/**
 * Notices when nothing was heard for `missed` intervals in a row. It counts its own ticks instead of reading the
 * clock, so a machine that slept or an event loop that stood still costs one tick and not the agent's life; and
 * it holds still while `paused()`, when it is us who do not listen.
 */
export class HeartbeatWatch implements Disposable {
  #silentTicks = 0;
  readonly #timer: NodeJS.Timeout;

  constructor(options: {
    readonly intervalMs: number;
    readonly missed: number;
    readonly paused: () => boolean;
    readonly onLost: () => void;
  }) {
    this.#timer = setInterval(() => {
      if (options.paused()) return;
      this.#silentTicks += 1;
      // The first tick after a beat is not a whole interval of silence yet.
      if (this.#silentTicks > options.missed) {
        clearInterval(this.#timer);
        options.onLost();
      }
    }, options.intervalMs);
  }

  /** Something was heard. */
  beat(): void {
    this.#silentTicks = 0;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
