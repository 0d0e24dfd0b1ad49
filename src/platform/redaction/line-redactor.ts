import type { RedactedText, Redactor } from './redactor.ts';

const begin = /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----/;
const end = /-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----/;
/** Longer than any key a person has; after that many lines an END that never comes no longer hides what follows. */
const longestKey = 200;

/**
 * Redacts a stream line by line (a log, stderr), where a private key begins on one line and ends on a later one.
 * One for each stream, because it remembers that it is inside a key.
 */
export function createLineRedactor(redactor: Redactor): (line: string) => RedactedText {
  let left = 0;
  return (line) => {
    if (left > 0) {
      const closing = end.exec(line);
      left = closing === null ? left - 1 : 0;
      if (closing === null) return { text: '[redacted:private-key]', count: 1 };
      const rest = redactor.text(line.slice(closing.index + closing[0].length));
      return { text: `[redacted:private-key]${rest.text}`, count: rest.count + 1 };
    }
    const opening = begin.exec(line);
    if (opening !== null && !end.test(line.slice(opening.index))) left = longestKey;
    return redactor.text(line);
  };
}
