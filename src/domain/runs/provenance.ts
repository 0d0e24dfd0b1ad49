import type { RunProvenance } from '../../contract/evidence.ts';
import type { JsonValue } from '../../contract/json.ts';
import type { AnyWorkflow } from '../../contract/workflow.ts';
import { canonicalJson } from '../../platform/canonical-json/canonical-json.ts';
import { formatTime } from '../../platform/clock/clock.ts';
import { digestOf } from '../../platform/digests/digest.ts';
import type { Engine } from './engine.ts';

/** Where this run comes from, as it is now: captured once, when the run starts, and never changed after. */
export async function captureProvenance(
  engine: Engine,
  workflow: AnyWorkflow,
  input: JsonValue,
): Promise<RunProvenance> {
  const facts = await engine.checkout.facts(engine.workspace.root);
  const platform = { os: process.platform, arch: process.arch, node: process.version };
  const { name, remote, commit, branch, dirty } = facts;
  return {
    checkout: { name, remote, commit, branch, dirty, readAt: formatTime(facts.readAt) },
    versions: { ...engine.versions },
    configDigest: engine.workspace.configDigest,
    workflow: { name: workflow.name, version: workflow.version, codeDigest: digestOf(workflow.start.toString()) },
    inputDigest: digestOf(canonicalJson(input)),
    platform,
    envFingerprint: digestOf(canonicalJson({ ...platform, versions: { ...engine.versions } })),
    containment: { ...engine.processes.containment },
  };
}
