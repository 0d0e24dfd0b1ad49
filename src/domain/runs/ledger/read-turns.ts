/** How many pages may begin to be read in one turn of the event loop; one takes up to a millisecond on SQLite. */
const perTurn = 4;

/**
 * Reading a page from SQLite holds the event loop. When many followers catch up at once (all reconnect after a restart),
 * this lets a few begin in each turn, so that whatever else the process serves comes in between.
 */
export class ReadTurns {
  readonly #waiting: (() => void)[] = [];
  #left = perTurn;
  #armed = false;

  /** Resolves when it is one's turn to read. */
  async take(): Promise<void> {
    this.#arm();
    if (this.#left > 0) this.#left--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #arm(): void {
    if (this.#armed) return;
    this.#armed = true;
    setImmediate(() => {
      this.#armed = false;
      const next = this.#waiting.splice(0, perTurn);
      this.#left = perTurn - next.length;
      if (next.length > 0) this.#arm();
      for (const resolve of next) resolve();
    });
  }
}
