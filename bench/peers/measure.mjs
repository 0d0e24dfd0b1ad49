// The one way every engine is measured: the same load, the same clock, the same percentiles.
// Settings come from the runner as JSON in the first argument; the result goes to standard output as one JSON line.

/** @typedef {{ inFlight: number, warmSeconds: number, seconds: number, ones: number, oneSeconds: number, data: string, database?: string }} Load */

/** @returns {Load} */
export function readLoad() {
  return JSON.parse(process.argv[2] ?? '{}');
}

/** The answer of the three steps for an input; every engine must give it for every run. */
export function expected(input) {
  return (input + 1) * 2 - 3;
}

/**
 * @param {Load} load
 * @param {(input: number) => Promise<unknown>} once Starts one run and resolves when its result is durable.
 * @param {(input: number) => unknown} answerOf What each must answer.
 */
export async function measure(load, once, answerOf = expected) {
  let input = 0;
  const run = async () => {
    input += 1;
    const wanted = answerOf(input);
    const answer = await once(input);
    if (answer !== wanted) throw new Error(`a run answered ${String(answer)} instead of ${String(wanted)}`);
  };
  await runFor(load.warmSeconds, load.inFlight, run);
  const many = await runFor(load.seconds, load.inFlight, run);
  const ones = [];
  const stopAt = performance.now() + load.oneSeconds * 1000;
  while (ones.length < load.ones && performance.now() < stopAt) {
    const start = performance.now();
    await run();
    ones.push(performance.now() - start);
  }
  ones.sort((a, b) => a - b);
  const at = (share) => ones[Math.min(ones.length - 1, Math.floor(ones.length * share))];
  return { runs: input, runsPerSecond: many, ones: ones.length, p50: at(0.5), p99: at(0.99) };
}

/** Keeps `inFlight` runs going for so long; runs a second, up to the end of the last one. */
export async function runFor(seconds, inFlight, run) {
  const start = performance.now();
  let done = 0;
  const lane = async () => {
    while (performance.now() - start < seconds * 1000) {
      await run();
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  return done / ((performance.now() - start) / 1000);
}

export function report(result) {
  process.stdout.write(`${JSON.stringify(result)}\n`);
}
