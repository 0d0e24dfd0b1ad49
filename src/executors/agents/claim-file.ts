import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { ArtifactClaim } from '../../domain/runs/ports.ts';
import { DigestStream } from '../../platform/digests/digest.ts';
import { resolveInside } from '../../platform/files/safe-path.ts';

/**
 * The claim an agent without words would make of a file: its size and digest as they are; nothing when there is no
 * such file. Constant memory.
 * @throws WaybillError `invalid_path` when the path leads out of the workspace.
 */
export async function claimFile(workspaceRoot: string, path: string): Promise<ArtifactClaim | undefined> {
  const file = await resolveInside(workspaceRoot, path);
  const stats = await stat(file).catch(() => undefined);
  if (!stats?.isFile()) return undefined;
  const digest = new DigestStream();
  let size = 0;
  for await (const chunk of createReadStream(file)) {
    digest.update(chunk);
    size += chunk.length;
  }
  return { path, size, digest: digest.finish() };
}
