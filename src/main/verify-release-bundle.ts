import { join } from 'node:path';
import { WaybillError } from '../contract/errors.ts';
import { readKey } from '../domain/registry/verify/read-key.ts';
import type { ReleaseVerification } from '../domain/registry/verify/verify-release.ts';
import { verifyReleaseBundle as verify } from '../domain/registry/verify/verify-release-bundle.ts';
import { findWorkspace } from '../domain/workspace/find-workspace.ts';
import { dataFolder, type Workspace } from '../domain/workspace/workspace.ts';
import { createCommitPort } from '../executors/commits/commit-port.ts';
import { createSigningPort } from '../executors/signing/signing-port.ts';
import type { VerifyRelease } from '../surfaces/cli/program.ts';

/** Verifies a release bundle. A workspace is not needed; where there is one, its key is trusted and its checkout asked. */
export async function verifyReleaseBundle(
  file: string,
  { key, checkout, start }: VerifyRelease & { readonly start: string },
): Promise<ReleaseVerification> {
  const workspace = await workspaceAt(start);
  const signing = workspace === null ? null : createSigningPort(join(dataFolder(workspace), 'keys'));
  return verify(file, {
    given: key === null ? null : await readKey(key),
    pinned: key === null && signing !== null ? await signing.pinned() : null,
    commits: createCommitPort(),
    root: checkout ?? workspace?.root ?? null,
    guessed: checkout === null,
  });
}

async function workspaceAt(start: string): Promise<Workspace | null> {
  try {
    return await findWorkspace(start);
  } catch (error) {
    if (error instanceof WaybillError && error.code === 'workspace_not_found') return null;
    throw error;
  }
}
