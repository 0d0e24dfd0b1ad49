import type { Redactor } from './redactor.ts';

const openKey = /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?!.*-----END [A-Z0-9 ]{0,40}PRIVATE KEY)/s;
/** Characters kept back at most; what has neither a line end nor an END by then is told without. */
const mostHeld = 16_384;
/** Longer than any secret in one word. */
const longestWord = 4_096;

/** Redacts text that arrives in pieces cut anywhere. One for each stream. */
export interface StreamRedactor {
  /** What of the text so far can be told, redacted; the empty string when the piece ends nothing. */
  add(piece: string): string;
  /** The rest, when the stream has ended. */
  end(): string;
}

/**
 * A secret is only recognized whole, and a program may print it in two writes, or a pipe cut it in two. So an
 * unfinished line, and a private key without its END, are kept back until the rest is there. Of a line that gets too
 * long for that only its last word is.
 */
export function createStreamRedactor(redactor: Redactor): StreamRedactor {
  let held = '';
  const tell = (length: number): string => {
    const told = held.slice(0, length);
    held = held.slice(length);
    return told === '' ? '' : redactor.text(told).text;
  };
  return {
    add: (piece) => {
      held += piece;
      return tell(tellable(held));
    },
    end: () => tell(held.length),
  };
}

function tellable(held: string): number {
  const lines = held.lastIndexOf('\n') + 1;
  const key = openKey.exec(held)?.index ?? lines;
  const length = Math.min(lines, key);
  if (held.length - length <= mostHeld) return length;
  const word = Math.max(held.length - longestWord, held.search(/\S*$/));
  return isLowSurrogate(held, word) ? word - 1 : word;
}

function isLowSurrogate(text: string, at: number): boolean {
  const unit = text.charCodeAt(at);
  return unit >= 0xdc00 && unit <= 0xdfff;
}
