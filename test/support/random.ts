import { randomInt } from 'node:crypto';

/**
 * Random numbers that can be had again: the seed is printed, and `WAYBILL_TEST_SEED` sets it. The generator is
 * mulberry32 (Tommy Ettinger, public domain).
 */
export class Random {
  readonly seed: number;
  #state: number;

  constructor(seed: number) {
    this.seed = seed;
    this.#state = seed;
  }

  static printed(what: string): Random {
    const given = process.env.WAYBILL_TEST_SEED;
    const random = new Random(given === undefined ? randomInt(2 ** 31) : Number(given));
    console.log(`${what}: again with WAYBILL_TEST_SEED=${random.seed}`);
    return random;
  }

  /** A whole number from `first` to `last`, both included. */
  between(first: number, last: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return first + (((mixed ^ (mixed >>> 14)) >>> 0) % (last - first + 1));
  }
}
