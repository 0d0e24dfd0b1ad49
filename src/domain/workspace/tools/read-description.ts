import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { WaybillError } from '../../../contract/errors.ts';
import type { Digest } from '../../../contract/ids.ts';
import { problemsText, shapeProblems } from '../../../contract/shape-problems.ts';
import { type ToolDescription, toolDescriptionSchema } from '../../../contract/tool.ts';
import { digestOf } from '../../../platform/digests/digest.ts';
import { systemCode } from '../../../platform/files/file-write-failed.ts';
import { resolveInside } from '../../../platform/files/safe-path.ts';
import { jsonProblem } from './json-problem.ts';

const largest = 1_048_576;
/** Why a file cannot be read that is no fault of the machine. */
const ofTheFile: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR', 'EISDIR', 'EACCES', 'EPERM', 'ELOOP', 'ENXIO']);

/** Why a description cannot be used, in words for its author. */
export class Unusable extends Error {}

/**
 * Reads and checks one `tool.json`; its schemas are not compiled yet.
 * @param path of the file, relative to the workspace
 * @throws Unusable; WaybillError `file_read_failed` when the machine is at fault
 */
export async function readDescription(
  root: string,
  path: string,
  id: string,
): Promise<{ readonly description: ToolDescription; readonly digest: Digest }> {
  const bytes = await readBytes(root, path);
  const value = parse(bytes);
  const parsed = toolDescriptionSchema.safeParse(value);
  if (!parsed.success) throw new Unusable(problemsText(shapeProblems(parsed.error.issues)));
  if (parsed.data.id !== id) throw new Unusable(`id: is "${parsed.data.id}", but the folder is named "${id}"`);
  return { description: parsed.data, digest: digestOf(bytes) };
}

async function readBytes(root: string, path: string): Promise<Uint8Array> {
  const real = await resolveInside(root, path).catch((error: unknown) => {
    throw new Unusable(wordsOf(error));
  });
  try {
    // Not blocking: a FIFO under this name would never open.
    await using file = await open(real, constants.O_RDONLY | constants.O_NONBLOCK);
    const stats = await file.stat();
    if (!stats.isFile()) throw new Unusable('is not a regular file');
    if (stats.size > largest) throw new Unusable(`is larger than ${largest} bytes`);
    return await file.readFile();
  } catch (error) {
    if (error instanceof Unusable) throw error;
    if (ofTheFile.has(systemCode(error) ?? '')) throw new Unusable(`cannot be read: ${wordsOf(error)}`);
    throw new WaybillError('file_read_failed', `cannot read ${path}`, {
      hint: 'Nothing may be wrong with the file: look for too many open files or a failing disk.',
      details: { path, systemCode: systemCode(error) ?? null },
      cause: error,
    });
  }
}

function parse(bytes: Uint8Array): unknown {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Unusable('is not UTF-8 text');
  }
  const problem = jsonProblem(text);
  if (problem !== undefined) throw new Unusable(`is not JSON: ${problem}`);
  return JSON.parse(text);
}

export function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
