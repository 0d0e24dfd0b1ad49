/**
 * A path as file systems that do not tell case apart see it: two paths are twins when this is the same. Canonical caseless
 * matching (Unicode, section 3.13, D145) in NFC. JavaScript has no case folding, but lower, upper and lower again of one
 * code point at a time (no context, so no final sigma) give its classes; the dotless i alone must not be raised to I.
 */
export function foldPath(path: string): string {
  if (plain.test(path)) return path.toLowerCase();
  let folded = '';
  for (const point of path.normalize('NFD')) folded += foldPoint(point);
  return folded.normalize('NFC');
}

const plain = /^[\x20-\x7e]*$/;

function foldPoint(point: string): string {
  return point === '\u0131' ? point : lower(upper(lower(point)));
}

function lower(text: string): string {
  let out = '';
  for (const point of text) out += point.toLowerCase();
  return out;
}

function upper(text: string): string {
  return text.toUpperCase();
}
