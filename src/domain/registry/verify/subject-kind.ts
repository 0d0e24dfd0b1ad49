import { open, stat } from 'node:fs/promises';

/** What lies at a path that is to be verified. */
export type SubjectKind = 'missing' | 'folder' | 'bundle' | 'release' | 'file';

const beginnings = [
  ['release', '{"schema":"waybill.release-bundle.v1"'],
  ['bundle', '{"schema":"waybill.bundle.v1"'],
] as const;

/** By its first bytes: a run's bundle and a release's say what they are; every other file may be one of a release. */
export async function subjectKind(path: string): Promise<SubjectKind> {
  const info = await stat(path).catch(() => null);
  if (info === null) return 'missing';
  if (info.isDirectory()) return 'folder';
  if (!info.isFile()) return 'bundle';
  const head = await headOf(path);
  return beginnings.find(([, beginning]) => head.startsWith(beginning))?.[0] ?? 'file';
}

async function headOf(path: string): Promise<string> {
  try {
    await using file = await open(path, 'r');
    const { buffer, bytesRead } = await file.read(Buffer.alloc(64), 0, 64, 0);
    return buffer.toString('latin1', 0, bytesRead);
  } catch {
    // Whoever reads all of it says why it cannot be read.
    return '';
  }
}
