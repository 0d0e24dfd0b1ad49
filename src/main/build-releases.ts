import { join } from 'node:path';
import type { Registry } from '../domain/registry/registry.ts';
import type { Releases } from '../domain/registry/release/releases.ts';
import { dataFolder, type Workspace } from '../domain/workspace/workspace.ts';
import { version } from './package-version.ts';

/** Making and verifying releases in a workspace, on its real key files and its checkout. */
export async function buildReleases(workspace: Workspace, registry: Registry): Promise<Releases> {
  const [{ createSigningPort }, { createCommitPort }] = await Promise.all([
    import('../executors/signing/signing-port.ts'),
    import('../executors/commits/commit-port.ts'),
  ]);
  const signing = createSigningPort(join(dataFolder(workspace), 'keys'));
  return { registry, signing, commits: createCommitPort(), root: workspace.root, version };
}
