import { join } from 'node:path';
import type { Configuration } from '../contract/configuration.ts';
import { dataFolder, type Workspace } from '../domain/workspace/workspace.ts';
import type { ErrorCapture } from '../platform/envelopes/capture.ts';
import { configuredSecrets } from './configured-secrets.ts';
import { version } from './package-version.ts';

export interface OpenedCapture {
  readonly capture: ErrorCapture;
  readonly workspaceId: string;
  /** The secret key of this workspace, for digests that must tell nothing to others. */
  readonly key: Uint8Array;
}

/** Where errors of a workspace go, from now on also those nobody catches. */
export async function openCapture(workspace: Workspace, configuration: Configuration): Promise<OpenedCapture> {
  const [
    { ErrorCapture },
    { workspaceKey },
    { watchProcess },
    { createRedactor },
    { secretLiterals },
    { digestOf, hexOf },
  ] = await Promise.all([
    import('../platform/envelopes/capture.ts'),
    import('../platform/envelopes/workspace-key.ts'),
    import('../platform/envelopes/watch-process.ts'),
    import('../platform/redaction/redactor.ts'),
    import('../platform/redaction/secret-literals.ts'),
    import('../platform/digests/digest.ts'),
  ]);
  const key = await workspaceKey(join(dataFolder(workspace), 'keys'));
  // Named after its key, so a copied or moved workspace keeps its name and two workspaces never share one.
  const workspaceId = `ws_${hexOf(digestOf(Buffer.concat([Buffer.from('workspace'), key]))).slice(0, 32)}`;
  const capture = new ErrorCapture({
    workspaceId,
    release: version,
    inputKey: key,
    redactor: createRedactor('envelope', [...secretLiterals(process.env), ...configuredSecrets(configuration)]),
    spoolFolder: join(dataFolder(workspace), 'spool'),
  });
  watchProcess(capture, 'L2', ({ errorId }, error) => {
    console.error(`waybill: ${error instanceof Error ? error.message : String(error)} (${errorId})`);
  });
  return { capture, workspaceId, key };
}
