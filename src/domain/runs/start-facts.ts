import type { Digest } from '../../contract/ids.ts';
import type { JsonObject, JsonValue } from '../../contract/json.ts';
import type { AnyWorkflow } from '../../contract/workflow.ts';
import type { OperationStatement } from '../../platform/store/store.ts';
import type { Engine } from './engine.ts';
import { TreeRecorder } from './execution/tree-recorder.ts';
import { captureProvenance } from './provenance.ts';

/** What a run starts on, read in the moment it starts. */
export interface StartFacts {
  readonly snapshot: { readonly id: string; readonly digest: Digest } | null;
  /** The part of `run.started` that says where the run comes from. */
  readonly data: JsonObject;
  /** Goes into the commit of the event that names the tree. */
  readonly also: readonly OperationStatement[];
}

export async function startFacts(
  engine: Engine,
  workflow: AnyWorkflow,
  what: { readonly mode: AnyWorkflow['snapshot']; readonly input: JsonValue },
): Promise<StartFacts> {
  const tree = what.mode === 'none' ? null : new TreeRecorder(engine, what.mode === 'content');
  const recorded = await tree?.record();
  const provenance = await captureProvenance(engine, workflow, what.input);
  if (recorded === undefined) return { snapshot: null, data: { snapshot: null, provenance }, also: [] };
  const { id, digest, files, bytes, omitted } = recorded.snapshot;
  const { manifest } = recorded;
  return {
    snapshot: { id, digest },
    data: {
      snapshot: { id, digest, manifest, count: files.length, bytes, omitted: omitted.length },
      provenance,
    },
    also: recorded.also,
  };
}
