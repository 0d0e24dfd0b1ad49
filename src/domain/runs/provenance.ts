import type { RunProvenance } from '../../contract/evidence.ts';
import type { Digest } from '../../contract/ids.ts';
import type { JsonValue } from '../../contract/json.ts';
import type { AnyWorkflow } from '../../contract/workflow.ts';
import { canonicalJson } from '../../platform/canonical-json/canonical-json.ts';
import { formatTime } from '../../platform/clock/clock.ts';
import { digestOf } from '../../platform/digests/digest.ts';
import type { Engine } from './engine.ts';

/** Of code and machine, which do not change while this program runs. */
const codeDigests = new WeakMap<AnyWorkflow, Digest>();
const fingerprints = new WeakMap<Engine, Digest>();
const platform = { os: process.platform, arch: process.arch, node: process.version };

/** Where this run comes from, as it is now: captured once, when the run starts, and never changed after. */
export async function captureProvenance(
  engine: Engine,
  workflow: AnyWorkflow,
  input: JsonValue,
): Promise<RunProvenance> {
  const facts = await engine.checkout.facts(engine.workspace.root);
  const { name, remote, commit, branch, dirty } = facts;
  return {
    checkout: { name, remote, commit, branch, dirty, readAt: formatTime(facts.readAt) },
    versions: { ...engine.versions },
    configDigest: engine.workspace.configDigest,
    workflow: { name: workflow.name, version: workflow.version, codeDigest: codeDigest(workflow) },
    inputDigest: digestOf(canonicalJson(input)),
    platform,
    envFingerprint: fingerprint(engine),
    containment: { ...engine.processes.containment },
  };
}

function codeDigest(workflow: AnyWorkflow): Digest {
  const digest = codeDigests.get(workflow) ?? digestOf(workflow.start.toString());
  codeDigests.set(workflow, digest);
  return digest;
}

function fingerprint(engine: Engine): Digest {
  const digest = fingerprints.get(engine) ?? digestOf(canonicalJson({ ...platform, versions: { ...engine.versions } }));
  fingerprints.set(engine, digest);
  return digest;
}
