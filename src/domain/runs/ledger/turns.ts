/**
 * Lets a bounded number of things begin in each turn of the event loop, in the order they came, so that whatever else the
 * process serves comes in between: reading a page from SQLite holds the loop, and so does sending one to a thousand.
 */
export class Turns {
  readonly #perTurn: number;
  readonly #waiting: (() => void)[] = [];
  #left: number;
  #armed = false;

  constructor(perTurn: number) {
    this.#perTurn = perTurn;
    this.#left = perTurn;
  }

  /** Nothing when one may begin at once, else what to wait for. */
  take(): Promise<void> | undefined {
    this.#arm();
    if (this.#left === 0) return new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#left--;
    return undefined;
  }

  #arm(): void {
    if (this.#armed) return;
    this.#armed = true;
    setImmediate(() => {
      this.#armed = false;
      const next = this.#waiting.splice(0, this.#perTurn);
      this.#left = this.#perTurn - next.length;
      if (next.length > 0) this.#arm();
      for (const resolve of next) resolve();
    });
  }
}
