/** The longest wait a timer of this platform can hold; a longer one would fire at once. */
const longestMs = 2 ** 31 - 1;

/** Calls `onTime` after `milliseconds` (24.8 days at most), unless disposed before. */
export function startTimer(milliseconds: number, onTime: () => void): Disposable {
  const timer = setTimeout(onTime, Math.min(milliseconds, longestMs));
  return { [Symbol.dispose]: () => clearTimeout(timer) };
}
