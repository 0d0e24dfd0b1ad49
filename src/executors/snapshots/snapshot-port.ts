import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { WaybillError } from '../../contract/errors.ts';
import type { Snapshot, SnapshotPort, SnapshotRequest } from '../../domain/runs/ports.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import type { GitOptions } from '../git/run-git.ts';
import { loadState, saveState } from './cache-file.ts';
import { captureTree } from './capture-tree.ts';
import { snapshotFailed } from './list-files.ts';
import { shareCaptures } from './share-captures.ts';
import type { TreeState } from './tree-state.ts';

export interface SnapshotSettings {
  /** Where the stat cache lies, normally `.waybill/cache/tree`; missing, old or damaged it costs time, nothing else. */
  readonly cacheFile: string;
  /** Must be the machine's own time: it is compared with the times of files. */
  readonly clock: Clock;
  readonly git?: GitOptions;
  /** Told when the cache could not be written; the snapshot is right all the same. */
  readonly onCacheProblem?: (problem: unknown) => void;
}

/**
 * Captures trees (see `listFiles` for which files, `treeDigest` for their identity). Requests that come while a
 * capture runs wait for the next one and share it: a capture never answers for a time before it was asked for.
 *
 * `capture` throws WaybillError `snapshot_failed` when the files cannot be listed, `canceled` when aborted; what
 * happens to a single file is never an error, it is said in `omitted`.
 */
export function createSnapshotPort(settings: SnapshotSettings): SnapshotPort {
  let known: TreeState | undefined;

  async function capture(request: SnapshotRequest, signal: AbortSignal): Promise<Snapshot> {
    const root = resolve(request.root);
    const startedMs = settings.clock.now() / 1000;
    if (known?.root !== root) known = await loadState(settings.cacheFile);
    const before = known?.root === root ? known : undefined;
    try {
      if (!statSync(root).isDirectory()) throw snapshotFailed(root, 'it is not a folder');
      const { state, snapshot, isNews } = await captureTree(
        { ...request, root },
        before,
        startedMs,
        settings.git ?? {},
        signal,
      );
      known = state;
      if (isNews) await save(state);
      return snapshot;
    } catch (error) {
      if (signal.aborted) throw canceled();
      if (error instanceof WaybillError) throw error;
      throw snapshotFailed(root, error instanceof Error ? error.message : String(error), error);
    }
  }

  async function save(state: TreeState): Promise<void> {
    try {
      await saveState(settings.cacheFile, state);
    } catch (problem) {
      settings.onCacheProblem?.(problem);
    }
  }

  return { capture: shareCaptures(capture, canceled) };
}

function canceled(): WaybillError {
  return new WaybillError('canceled', 'the snapshot was canceled');
}
