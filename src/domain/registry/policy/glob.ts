/**
 * Whether a text matches a pattern as a whole: `*` is any characters, none too, `?` is one. In time that grows with the
 * product of both lengths at most, whatever the pattern: it goes back to the last `*` only.
 */
export function globMatches(pattern: string, text: string): boolean {
  const [wanted, given] = [[...pattern], [...text]];
  let at = 0;
  let star = -1;
  let resume = 0;
  for (let index = 0; index < given.length; ) {
    const want = wanted[at];
    if (want === '*') {
      star = at++;
      resume = index;
    } else if (want !== undefined && (want === '?' || want === given[index])) {
      at++;
      index++;
    } else if (star >= 0) {
      at = star + 1;
      index = ++resume;
    } else return false;
  }
  while (wanted[at] === '*') at++;
  return at === wanted.length;
}
