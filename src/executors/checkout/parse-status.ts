import { isUtf8 } from 'node:buffer';

/** What one `git status --porcelain=v2 --branch -z` says. */
export interface StatusFacts {
  /** null before the first commit. */
  readonly commit: string | null;
  /** null when HEAD is detached. */
  readonly branch: string | null;
  readonly dirty: boolean;
}

/**
 * Reads the output of `git status --porcelain=v2 --branch -z` (format: git-status(1), "Porcelain Format Version 2").
 * @returns undefined when it is not such an output
 */
export function parseStatus(output: Buffer): StatusFacts | undefined {
  const text = isUtf8(output) ? output.toString('utf8') : output.toString('latin1');
  const records = text.split('\0').filter((record) => record !== '');
  const headers = new Map<string, string>();
  for (const record of records) {
    const match = /^# (\S+) (.*)$/.exec(record);
    if (match?.[1] !== undefined && match[2] !== undefined) headers.set(match[1], match[2]);
  }
  const commit = headers.get('branch.oid');
  const branch = headers.get('branch.head');
  if (commit === undefined || branch === undefined) return undefined;
  return {
    commit: commit === '(initial)' ? null : commit,
    branch: branch === '(detached)' ? null : branch,
    dirty: records.some((record) => !record.startsWith('# ')),
  };
}
