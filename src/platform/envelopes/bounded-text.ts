import { makeWellFormed } from '../files/make-well-formed.ts';
import type { Redactor } from '../redaction/redactor.ts';

const longestRead = 65_536;
const longestWord = 4096;

/**
 * What an envelope may hold of a text: redacted first and cut afterwards, so that a cut never hides half a secret
 * from the redactor; well-formed and without NUL, so that both stores can hold it.
 */
export function boundedText(redactor: Redactor, text: string, most: number): string {
  const { text: redacted } = redactor.text(readable(text));
  const { value } = makeWellFormed(redacted);
  // A surrogate pair cut in two would be no text any more.
  return value.length <= most ? value : `${value.slice(0, most - 1).replace(/[\ud800-\udbff]$/, '')}…`;
}

/** The beginning of a text too long to look through, without its last word, which may be half a secret. */
function readable(text: string): string {
  if (text.length <= longestRead) return text;
  const head = text.slice(0, longestRead);
  const lastSpace = Math.max(head.lastIndexOf(' '), head.lastIndexOf('\n'));
  return head.slice(0, Math.max(lastSpace, longestRead - longestWord));
}
