import { stripVTControlCharacters } from 'node:util';

/**
 * Text from agents and commands, made harmless for a terminal: control characters (which could move the cursor,
 * rename the window or hide what was printed) become visible escapes, colours are dropped, newlines and tabs
 * become spaces.
 */
export function printableLine(text: string, longest = 2_000): string {
  const line = stripVTControlCharacters(text)
    .replaceAll(/[\t\r\n]+/g, ' ')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not reach a terminal.
    .replaceAll(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, escaped)
    .trim();
  return line.length > longest ? `${line.slice(0, longest).toWellFormed()} ...` : line;
}

/** The lines of an output, each printable; the empty line at its end is not one. */
export function printableLines(text: string): string[] {
  const lines = text.split(/\r?\n/);
  if (lines.at(-1) === '') lines.pop();
  return lines.map((line) => printableLine(line));
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
