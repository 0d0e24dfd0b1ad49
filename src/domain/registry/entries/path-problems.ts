/** In bytes of UTF-8: what the file systems in use can hold. */
const longestPath = 1024;
const longestSegment = 255;

/**
 * What is wrong with the path of an entry, all of it; empty when nothing is. A good one names a file below the folder a
 * version is unpacked into, on every system, and in one way only.
 */
export function pathProblems(path: string): readonly string[] {
  const problems: string[] = [];
  if (path === '') return ['must not be empty'];
  if (!path.isWellFormed()) problems.push('must be well-formed Unicode');
  else if (path.normalize('NFC') !== path) problems.push('must be in the Unicode form NFC');
  if (Buffer.byteLength(path) > longestPath) problems.push(`must have at most ${longestPath} bytes`);
  if (path.includes('\\')) problems.push('must not have a backslash');
  if (/[\p{Cc}\u2028\u2029\p{Bidi_Control}]/u.test(path)) problems.push('must not have control characters');
  if (path.startsWith('/')) problems.push('must be relative');
  else if (/^[A-Za-z]:/.test(path)) problems.push('must not begin with a drive');
  if (path.length > 1 && path.endsWith('/')) problems.push('must not end with a slash');
  const segments = path.split('/');
  if (segments.includes('..')) problems.push('must not have a segment ".."');
  if (segments.includes('.')) problems.push('must not have a segment "."');
  if (segments.slice(1, -1).includes('')) problems.push('must not have an empty segment');
  if (segments.some((segment) => Buffer.byteLength(segment) > longestSegment)) {
    problems.push(`must have at most ${longestSegment} bytes a segment`);
  }
  return problems;
}
