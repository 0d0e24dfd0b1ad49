import { WaybillError } from '../../contract/errors.ts';

const hints: Readonly<Record<string, string>> = {
  ENOSPC: 'The disk is full: free some space and run the command again; nothing that was written before is lost.',
  EDQUOT: 'The disk quota is used up: free some space and run the command again.',
  EROFS: 'The file system is read-only: mount it writable, or use a workspace on another one.',
  EACCES: 'Give this user write permission to the folder, or run as its owner.',
  EPERM: 'Give this user write permission to the folder, or run as its owner.',
  ENOTDIR: 'A part of the path is a file where a folder is needed: move that file away.',
  EISDIR: 'A folder lies where the file belongs: move it away.',
  ENAMETOOLONG: 'The name is longer than the file system allows: use a shorter one.',
  EMFILE: 'This process has too many open files: raise the limit with `ulimit -n`.',
  ENFILE: 'The machine has too many open files: close some programs.',
};

/** The system's code of an error (`ENOENT`, `ENOSPC` ...), or undefined when it has none. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** The typed form of whatever stopped a write: `file_write_failed` with the path and the system's code. */
export function fileWriteFailed(path: string, cause: unknown): WaybillError {
  if (cause instanceof WaybillError) return cause;
  const code = systemCode(cause);
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new WaybillError('file_write_failed', `cannot write ${path}: ${reason}`, {
    hint: (code === undefined ? undefined : hints[code]) ?? 'Check that the folder exists and can be written.',
    details: { path, systemCode: code ?? null },
    cause,
  });
}
