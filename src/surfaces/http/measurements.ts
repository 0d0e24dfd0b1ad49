const upperBounds = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5] as const;

export interface RequestSeries {
  readonly route: string;
  readonly method: string;
  readonly status: number;
  count: number;
  /** Seconds. */
  sum: number;
  /** How many took at most `durationBounds[i]`; each counted once, in the smallest that holds it. */
  readonly buckets: number[];
}

/** Upper bounds of the histogram of durations, in seconds; what took longer is only in the total. */
export const durationBounds: readonly number[] = upperBounds;

/** What one server counts of itself. Kept small: a series for each route, method and status that occurred. */
export class Measurements {
  readonly #requests = new Map<string, RequestSeries>();
  #streams = 0;
  #unrecorded = 0;

  /** A stream of events was opened; call what is returned once when it is closed. */
  openStream(): () => void {
    this.#streams++;
    let open = true;
    return () => {
      if (open) this.#streams--;
      open = false;
    };
  }

  get streams(): number {
    return this.#streams;
  }

  /** A refusal was answered without a record of its own, because there were too many. */
  countUnrecorded(): void {
    this.#unrecorded++;
  }

  get unrecorded(): number {
    return this.#unrecorded;
  }

  /** @param route the path as declared, never as asked for: `/v1/runs/{runId}` */
  countRequest(route: string, method: string, status: number, seconds: number): void {
    const key = `${method} ${route} ${status}`;
    let series = this.#requests.get(key);
    if (series === undefined) {
      series = { route, method, status, count: 0, sum: 0, buckets: upperBounds.map(() => 0) };
      this.#requests.set(key, series);
    }
    series.count++;
    series.sum += seconds;
    const place = upperBounds.findIndex((bound) => seconds <= bound);
    const bucket = series.buckets[place];
    if (bucket !== undefined) series.buckets[place] = bucket + 1;
  }

  requests(): readonly RequestSeries[] {
    return [...this.#requests.values()];
  }
}
