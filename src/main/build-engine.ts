import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Configuration } from '../contract/configuration.ts';
import type { Engine, FailureReport } from '../domain/runs/engine.ts';
import type { ToolPort } from '../domain/runs/ports.ts';
import { dataFolder, type Workspace } from '../domain/workspace/workspace.ts';
import type { BlobStore } from '../platform/blobs/blob-store.ts';
import type { ErrorCapture } from '../platform/envelopes/capture.ts';
import type { Store } from '../platform/store/store.ts';
import { configuredSecrets } from './configured-secrets.ts';
import { version } from './package-version.ts';

export interface EngineParts {
  readonly workspace: Workspace;
  readonly configuration: Configuration;
  readonly configDigest: string | null;
  readonly store: Store;
  readonly capture: ErrorCapture;
  readonly tools: ToolPort;
  readonly blobs: BlobStore;
  /** The secret key of this workspace. */
  readonly key: Uint8Array;
}

/** The engine of a workspace on its real executors. */
export async function buildEngine(parts: EngineParts): Promise<Engine> {
  const { workspace, configuration, store } = parts;
  const [
    processes,
    exec,
    environment,
    host,
    containment,
    agents,
    snapshots,
    checkout,
    redactor,
    literals,
    leases,
    task,
    command,
    tool,
    hashes,
    clock,
  ] = await Promise.all([
    import('../executors/processes/process-port.ts'),
    import('../executors/processes/exec.ts'),
    import('../executors/processes/environment.ts'),
    import('../executors/processes/host.ts'),
    import('../executors/processes/containment.ts'),
    import('../executors/agents/agent-port.ts'),
    import('../executors/snapshots/snapshot-port.ts'),
    import('../executors/checkout/checkout-port.ts'),
    import('../platform/redaction/redactor.ts'),
    import('../platform/redaction/secret-literals.ts'),
    import('../domain/runs/lease/lease-keeper.ts'),
    import('../domain/runs/workflows/task.ts'),
    import('../domain/runs/workflows/exec.ts'),
    import('../domain/runs/workflows/tool.ts'),
    import('../domain/runs/host-hash.ts'),
    import('../platform/clock/clock.ts'),
  ]);
  const data = dataFolder(workspace);
  const { systemClock } = clock;
  const processPort = processes.createProcessPort(await containment.probeContainment());
  const workflows = [task.taskWorkflow, command.execWorkflow, tool.toolWorkflow, ...configuration.workflows];
  return {
    store,
    clock: systemClock,
    host: host.createHost(),
    processes: processPort,
    commands: exec.createExecPort(processPort),
    agents: agents.createAgentPort({ processes: processPort, clock: systemClock, environment: process.env }),
    snapshots: snapshots.createSnapshotPort({ cacheFile: join(data, 'cache', 'tree'), clock: systemClock }),
    checkout: checkout.createCheckoutPort({ clock: systemClock }),
    tools: parts.tools,
    hostHash: configuration.provenance.hostHash ? hashes.hostHash(parts.key, hostname()) : null,
    blobs: parts.blobs,
    redact: redactor.createRedactor('ledger', [
      ...literals.secretLiterals(process.env),
      ...configuredSecrets(configuration),
    ]),
    environment: (rules) => environment.buildEnvironment(process.env, rules),
    leases: new leases.LeaseKeeper(store, systemClock),
    workspace: { root: workspace.root, configDigest: parts.configDigest, snapshot: configuration.snapshot },
    agentSettings: new Map(Object.entries(configuration.agents)),
    workflows: new Map(workflows.map((workflow) => [workflow.name, workflow])),
    versions: { waybill: version, node: process.versions.node },
    report: (failure) => reportFailure(parts.capture, failure),
  };
}

/** A failed step or run leaves an envelope of the domain; the run's ledger carries its id. */
async function reportFailure(errors: ErrorCapture, failure: FailureReport): Promise<string | null> {
  const { exitCode, signal } = failure.details;
  const envelope = errors.emitterFor('L4', 'runs').emit({
    errorClass: failure.code === 'max_iterations' ? 'domain.budget_exceeded' : 'domain.constraint',
    severity: 'error',
    message: failure.message,
    context: { code: failure.code },
    input: failure.input,
    runId: failure.runId === '' ? null : failure.runId,
    step: failure.step,
    agentId: failure.agent,
    exitCode: typeof exitCode === 'number' ? exitCode : null,
    signal: typeof signal === 'string' ? signal : null,
  });
  const kept = await errors.record(envelope);
  return kept === 'lost' ? null : envelope.errorId;
}
