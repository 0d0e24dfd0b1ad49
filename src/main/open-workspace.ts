import { join } from 'node:path';
import { type Configuration, parseStore } from '../contract/configuration.ts';
import type { Registry } from '../domain/registry/registry.ts';
import type { Engine } from '../domain/runs/engine.ts';
import type { ToolCatalog } from '../domain/workspace/tools/tool-catalog.ts';
import type { Webhooks } from '../domain/workspace/webhooks/webhooks.ts';
import { dataFolder, type Workspace } from '../domain/workspace/workspace.ts';
import type { BlobStore } from '../platform/blobs/blob-store.ts';
import type { ErrorCapture } from '../platform/envelopes/capture.ts';
import type { ErrorStore } from '../platform/envelopes/error-store.ts';
import { buildEngine } from './build-engine.ts';
import { openCapture } from './open-capture.ts';
import { openStore } from './open-store.ts';
import { errors, spans } from './process-wide.ts';

/** A workspace whose store is open, with the engine on it. */
export interface OpenedWorkspace {
  readonly workspace: Workspace;
  readonly configuration: Configuration;
  readonly engine: Engine;
  readonly tools: ToolCatalog;
  readonly capture: ErrorCapture;
  readonly errorStore: ErrorStore;
  /** Built when it is first asked for: most commands need none. */
  readonly registry: () => Promise<Registry>;
  readonly webhooks: () => Promise<Webhooks>;
}

/**
 * Loads the configuration, opens the store and builds the engine. Disposing `open` writes what is still to be written
 * and closes the store: only when the command's own span has ended, because it is the root of the tree and stored too.
 * @param given.store an address instead of what the configuration says
 */
export async function openWorkspace(
  workspace: Workspace,
  given: { readonly store: string | null },
  open: AsyncDisposableStack,
): Promise<OpenedWorkspace> {
  const { loadConfiguration } = await import('../domain/workspace/load-configuration.ts');
  const { configuration: written, digest } = await loadConfiguration(workspace);
  const role = written.store.engine === 'postgres' ? written.store.role : null;
  const configuration = given.store === null ? written : { ...written, store: parseStore(given.store, role) };
  const { capture, workspaceId, key } = await openCapture(workspace, configuration);
  errors.capture = capture;
  const store = await openStore(workspace, configuration);
  try {
    const [{ openErrorStore }, { spanWriter }, { createToolCatalog }] = await Promise.all([
      import('../platform/envelopes/open-error-store.ts'),
      import('../platform/envelopes/span-writer.ts'),
      import('../domain/workspace/tools/tool-catalog.ts'),
    ]);
    const blobs = await openBlobs(workspace);
    const errorStore = openErrorStore(store, workspaceId);
    await capture.attach(errorStore);
    spans.attach(spanWriter(store, workspaceId));
    const tools = createToolCatalog(workspace, configuration);
    const engine = await buildEngine({
      workspace,
      configuration,
      configDigest: digest,
      store,
      capture,
      tools,
      key,
      blobs,
    });
    open.defer(async () => {
      await spans.flush();
      capture.detach();
      await store.close();
    });
    const registry = async () => {
      const { buildRegistry } = await import('../domain/registry/build-registry.ts');
      const { clock, host } = engine;
      return buildRegistry({ store, clock, host, blobs, settings: configuration.registry });
    };
    const webhooks = async (): Promise<Webhooks> => {
      const { createWebhookPort } = await import('../executors/webhooks/webhook-port.ts');
      const { webhooks: settings } = configuration;
      const port = createWebhookPort({ allowPrivate: settings.allowPrivate });
      return { store, clock: engine.clock, settings, key, source: `urn:waybill:${workspaceId}`, port };
    };
    return { workspace, configuration, engine, tools, capture, errorStore, registry, webhooks };
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** The blobs of a workspace, rid of what writers that died left half-written. */
async function openBlobs(workspace: Workspace): Promise<BlobStore> {
  const [{ createFolderBlobs }, { sweepTemporaryFiles }] = await Promise.all([
    import('../platform/blobs/folder-blobs.ts'),
    import('../platform/files/write-file-durably.ts'),
  ]);
  const data = dataFolder(workspace);
  const blobs = createFolderBlobs(join(data, 'blobs'));
  await Promise.all([blobs.sweep(), sweepTemporaryFiles(join(data, 'cache'))]);
  return blobs;
}
