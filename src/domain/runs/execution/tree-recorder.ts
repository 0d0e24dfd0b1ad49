import { existsSync } from 'node:fs';
import { WaybillError } from '../../../contract/errors.ts';
import type { SnapshotManifest } from '../../../contract/evidence.ts';
import type { Digest } from '../../../contract/ids.ts';
import { canonicalJson } from '../../../platform/canonical-json/canonical-json.ts';
import type { OperationStatement } from '../../../platform/store/store.ts';
import type { Engine } from '../engine.ts';
import * as statements from '../ledger/statements.ts';
import type { Snapshot } from '../ports.ts';

export interface RecordedTree {
  readonly snapshot: Snapshot;
  /** Digest of the manifest's bytes: unlike the tree's own it also covers what was left out. */
  readonly manifest: Digest;
  /** Goes into the commit that names the tree, so that no digest is stored without its manifest. */
  readonly also: readonly OperationStatement[];
}

const mostTries = 3;

/** Captures the workspace's tree and keeps its manifest; captures asked for at the same time are one. */
export class TreeRecorder {
  readonly #engine: Engine;
  readonly #withContent: boolean;
  readonly #known = new Map<Digest, Digest>();
  #next: Promise<RecordedTree> | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(engine: Engine, withContent: boolean) {
    this.#engine = engine;
    this.#withContent = withContent;
  }

  /** The tree as it is at some moment after this call. */
  record(): Promise<RecordedTree> {
    // A capture that is only queued sees everything that was written before now, so it serves this caller too.
    this.#next ??= this.#queue();
    return this.#next;
  }

  async #queue(): Promise<RecordedTree> {
    await this.#last.catch(() => {});
    const capture = this.#next;
    this.#next = undefined;
    this.#last = capture ?? Promise.resolve();
    return this.#capture();
  }

  async #capture(): Promise<RecordedTree> {
    const { root, snapshot: choice } = this.#engine.workspace;
    let snapshot = await this.#engine.snapshots.capture({ root, ...choice });
    for (let tries = 1; this.#withContent && !(await this.#keepContent(snapshot)); tries++) {
      if (tries === mostTries) {
        throw new WaybillError('snapshot_failed', 'the workspace changes faster than its content can be kept', {
          hint: 'Stop what writes to it, or leave its files out with `snapshot.exclude` in waybill.config.ts.',
        });
      }
      snapshot = await this.#engine.snapshots.capture({ root, ...choice });
    }
    const known = this.#known.get(snapshot.digest);
    if (known !== undefined) return { snapshot, manifest: known, also: [] };
    const manifest = await this.#engine.blobs.put(Buffer.from(canonicalJson(manifestOf(snapshot))));
    this.#known.set(snapshot.digest, manifest);
    const row = [snapshot.digest, snapshot.id, manifest, this.#engine.clock.now()];
    return { snapshot, manifest, also: [{ sql: statements.insertSnapshot, rows: [row] }] };
  }

  /** False when a file is no longer what the snapshot says it is: then the tree has to be captured again. */
  async #keepContent(snapshot: Snapshot): Promise<boolean> {
    const { blobs, workspace } = this.#engine;
    for (const file of snapshot.files) {
      if (file.kind === 'symlink' || file.raw === true || (await blobs.touch(file.digest)) !== null) continue;
      const path = `${workspace.root}/${file.path}`;
      if (!existsSync(path) || (await blobs.putFile(path)).digest !== file.digest) return false;
    }
    return true;
  }
}

/** The snapshot as its file says it. */
export function manifestOf(snapshot: Snapshot): SnapshotManifest {
  return {
    schema: 'waybill.snapshot.v1',
    id: snapshot.id,
    digest: snapshot.digest,
    rule: snapshot.rule,
    count: snapshot.files.length,
    bytes: snapshot.bytes,
    files: [...snapshot.files],
    omitted: [...snapshot.omitted],
  };
}
