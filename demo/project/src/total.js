/** What an order costs, in cents. A line is `{ cents, count }`. */
export function total(lines) {
  const sum = lines.reduce((cents, line) => cents + line.cents * line.count, 0);
  return sum;
}
