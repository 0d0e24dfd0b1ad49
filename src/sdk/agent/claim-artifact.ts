import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { isAbsolute, join, relative, sep } from 'node:path';
import type { Artifact } from '../../contract/workflow.ts';

/**
 * The claim of a file in the workspace: its path relative to the root with forward slashes, its size and digest.
 * @throws Error when there is no such file, or it lies outside the workspace.
 */
export async function claimArtifact(workspace: string, path: string): Promise<Artifact> {
  const file = await realpath(isAbsolute(path) ? path : join(workspace, path));
  const inside = relative(await realpath(workspace), file);
  if (inside === '' || inside === '..' || inside.startsWith(`..${sep}`)) {
    throw new Error(`an artifact must lie inside the workspace: ${path}`);
  }
  if (!(await stat(file)).isFile()) throw new Error(`an artifact must be a file: ${path}`);
  const hash = createHash('sha256');
  let size = 0;
  for await (const chunk of createReadStream(file)) {
    hash.update(chunk);
    size += chunk.length;
  }
  return { path: inside.split(sep).join('/'), size, digest: `sha256:${hash.digest('hex')}` };
}
