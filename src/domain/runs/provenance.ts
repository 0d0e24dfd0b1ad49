import type { RunProvenance } from '../../contract/evidence.ts';
import type { Digest } from '../../contract/ids.ts';
import type { JsonValue } from '../../contract/json.ts';
import type { AnyWorkflow } from '../../contract/workflow.ts';
import { canonicalJson } from '../../platform/canonical-json/canonical-json.ts';
import { formatTime } from '../../platform/clock/clock.ts';
import { digestOf } from '../../platform/digests/digest.ts';
import type { Engine } from './engine.ts';
import type { Tool } from './ports.ts';
import { toolOfRun } from './workflows/tool.ts';

/** Of code and machine, which do not change while this program runs. */
const codeDigests = new WeakMap<AnyWorkflow, Digest>();
const fingerprints = new WeakMap<Engine, Digest>();
const platform = { os: process.platform, arch: process.arch, node: process.version };

/** All of it; records from before tools were lack two members. */
type Captured = RunProvenance & {
  readonly tool: NonNullable<RunProvenance['tool']> | null;
  readonly hostHash: Digest | null;
};

/** Where this run comes from, as it is now: captured once, when the run starts, and never changed after. */
export async function captureProvenance(engine: Engine, workflow: AnyWorkflow, input: JsonValue): Promise<Captured> {
  const [facts, found] = await Promise.all([
    engine.checkout.facts(engine.workspace.root),
    toolOfRun(engine.tools, workflow, input),
  ]);
  const tool = found === null ? null : toolFacts(found);
  const { name, remote, commit, branch, dirty } = facts;
  return {
    checkout: { name, remote, commit, branch, dirty, readAt: formatTime(facts.readAt) },
    versions: { ...engine.versions },
    configDigest: engine.workspace.configDigest,
    workflow: { name: workflow.name, version: workflow.version, codeDigest: codeDigest(workflow) },
    tool,
    hostHash: engine.hostHash,
    inputDigest: digestOf(canonicalJson(input)),
    platform,
    envFingerprint: tool === null ? fingerprint(engine) : fingerprintWith(engine, tool),
    containment: { ...engine.processes.containment },
  };
}

function toolFacts({ description, digests }: Tool): NonNullable<Captured['tool']> {
  return {
    id: description.id,
    version: description.version,
    descriptionDigest: digests.description,
    inputSchemaDigest: digests.inputSchema,
    outputSchemaDigest: digests.outputSchema,
  };
}

function codeDigest(workflow: AnyWorkflow): Digest {
  const digest = codeDigests.get(workflow) ?? digestOf(workflow.code ?? workflow.start.toString());
  codeDigests.set(workflow, digest);
  return digest;
}

/** Of what a run without a tool runs on. */
function fingerprint(engine: Engine): Digest {
  const digest = fingerprints.get(engine) ?? digestOf(canonicalJson({ ...platform, versions: { ...engine.versions } }));
  fingerprints.set(engine, digest);
  return digest;
}

function fingerprintWith(engine: Engine, { id, version }: NonNullable<Captured['tool']>): Digest {
  return digestOf(canonicalJson({ ...platform, versions: { ...engine.versions }, tool: { id, version } }));
}
