import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import type { Configuration } from './contract/configuration.ts';
import type { Engine, FailureReport } from './domain/runs/engine.ts';
import { dataFolder, type Workspace } from './domain/workspace/workspace.ts';
import { correlationScope } from './platform/correlation/correlation.ts';
import { SpanBuffer } from './platform/correlation/span-buffer.ts';
import type { ErrorCapture } from './platform/envelopes/capture.ts';
import type { ErrorStore } from './platform/envelopes/error-store.ts';
import type { Store } from './platform/store/store.ts';
import { runCli } from './surfaces/cli/cli.ts';
import { exitWhenPrinted, processTerminal } from './surfaces/cli/process-terminal.ts';
import type { Host, Program, RetentionReport } from './surfaces/cli/program.ts';
import { startInBackground } from './surfaces/cli/start-in-background.ts';
import { watchForUnexpectedEnd } from './surfaces/cli/unexpected-end.ts';

/**
 * The one file that knows all rooms: it builds store, executors and engine, and hands them to the command line.
 * What a small command does not need is imported when it is needed, so that small commands start fast.
 */
const { version } = readPackage();

/** Without a token, whoever may use this machine's files is who acts. */
const actor = `local:${userInfo().uid}`;

/** How long envelopes are kept unless configured otherwise. Above the first await, or it would not exist yet. */
const keepEnvelopesDays = 90;

const spans = new SpanBuffer();
let capture: ErrorCapture | undefined;
/** Closed when the command's own span has ended: it is the root of the tree, and is stored like the others. */
const open = new AsyncDisposableStack();

const host: Host = {
  version,
  cwd: process.cwd(),
  env: process.env,
  terminal: processTerminal(),
  tools: {
    verifyPath: async (path) => (await import('./surfaces/cli/papers.ts')).verifyPath(path),
    checkAgent,
    mockAgent: async (script) => {
      await (await import('./sdk/testing/mock-agent.ts')).runMockAgent(script);
      return 0;
    },
  },
  openProgram,
  report: async (error) => {
    const kept = await capture?.capture(error, { layer: 'L2', component: 'cli' });
    return kept === undefined || kept.kept === 'lost' ? null : kept.errorId;
  },
  startInBackground,
};

const inbound = process.env.TRACEPARENT;
const exitCode = await correlationScope({ component: 'cli', inbound, sink: spans }, () =>
  runCli(process.argv.slice(2), host),
);
await open.disposeAsync();
await exitWhenPrinted(exitCode);

async function checkAgent(command: readonly string[], { signal }: { readonly signal: AbortSignal }) {
  const [{ checkAgent: check }, { createProcessPort }, { probeContainment }, { systemClock }] = await Promise.all([
    import('./executors/agents/check-agent.ts'),
    import('./executors/processes/process-port.ts'),
    import('./executors/processes/containment.ts'),
    import('./platform/clock/clock.ts'),
  ]);
  const processes = createProcessPort(await probeContainment());
  return check(command, { processes, clock: systemClock, environment: process.env }, { signal });
}

/** Everything a workspace offers, as the commands call it. The store stays open until the process is done. */
async function openProgram(workspace: Workspace): Promise<Program> {
  watchForUnexpectedEnd(process.argv.includes('--json'));
  const { loadConfiguration } = await import('./domain/workspace/load-configuration.ts');
  const { configuration, digest } = await loadConfiguration(workspace);
  const errors = await openCapture(workspace, configuration);
  const store = await openStore(workspace, configuration);
  try {
    const [{ openErrorStore }, { spanWriter }, { createRunsProgram }, { createPapers }, { Projector }] =
      await Promise.all([
        import('./platform/envelopes/open-error-store.ts'),
        import('./platform/envelopes/span-writer.ts'),
        import('./surfaces/cli/runs-program.ts'),
        import('./surfaces/cli/papers.ts'),
        import('./workers/projector.ts'),
      ]);
    await sweep(workspace);
    const errorStore = openErrorStore(store, errors.workspaceId);
    await errors.capture.attach(errorStore);
    spans.attach(spanWriter(store, errors.workspaceId));
    const engine = await buildEngine({
      workspace,
      configuration,
      configDigest: digest,
      store,
      capture: errors.capture,
    });
    const projector = new Projector(engine, join(dataFolder(workspace), 'runs'), {
      onProblem: (problem) => void errors.capture.capture(problem, { layer: 'L5', component: 'projector' }),
    });
    if (configuration.evidence === 'files') await projector.start();
    const program = createRunsProgram({
      engine,
      actor,
      configuration,
      workspace,
      evidence: projector,
      papers: createPapers(engine, actor, join(dataFolder(workspace), 'runs')),
      runRetention: (request) => runRetention(errorStore, request),
      close: () => projector.close(),
    });
    open.defer(async () => {
      await spans.flush();
      errors.capture.detach();
      await store.close();
    });
    return program;
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** Removes what writers that died left half-written. */
async function sweep(workspace: Workspace): Promise<void> {
  const [{ createFolderBlobs }, { sweepTemporaryFiles }] = await Promise.all([
    import('./platform/blobs/folder-blobs.ts'),
    import('./platform/files/write-file-durably.ts'),
  ]);
  const data = dataFolder(workspace);
  await Promise.all([createFolderBlobs(join(data, 'blobs')).sweep(), sweepTemporaryFiles(join(data, 'cache'))]);
}

async function openStore(workspace: Workspace, configuration: Configuration): Promise<Store> {
  const [{ runMigrations }, { journalMigrations }, { envelopeMigrations }] = await Promise.all([
    import('./domain/runs/migrations.ts'),
    import('./platform/journal/migrations.ts'),
    import('./platform/envelopes/migrations.ts'),
  ]);
  const migrations = [...envelopeMigrations(), ...journalMigrations(), ...runMigrations()];
  if (configuration.store.engine === 'postgres') {
    const { openPostgresStore } = await import('./platform/store/postgres/open.ts');
    const { url, role } = configuration.store;
    return openPostgresStore({ connection: url, migrations, ...(role === null ? {} : { role }) });
  }
  const [{ openSqliteStore }, { makeFolder }] = await Promise.all([
    import('./platform/store/sqlite/open.ts'),
    import('./platform/files/make-folder.ts'),
  ]);
  await makeFolder(dataFolder(workspace));
  return openSqliteStore({ path: join(dataFolder(workspace), 'waybill.db'), migrations });
}

async function openCapture(
  workspace: Workspace,
  configuration: Configuration,
): Promise<{ readonly capture: ErrorCapture; readonly workspaceId: string }> {
  const [
    { ErrorCapture },
    { workspaceKey },
    { watchProcess },
    { createRedactor },
    { secretLiterals },
    { digestOf, hexOf },
  ] = await Promise.all([
    import('./platform/envelopes/capture.ts'),
    import('./platform/envelopes/workspace-key.ts'),
    import('./platform/envelopes/watch-process.ts'),
    import('./platform/redaction/redactor.ts'),
    import('./platform/redaction/secret-literals.ts'),
    import('./platform/digests/digest.ts'),
  ]);
  const inputKey = await workspaceKey(join(dataFolder(workspace), 'keys'));
  // Named after its key, so a copied or moved workspace keeps its name and two workspaces never share one.
  const workspaceId = `ws_${hexOf(digestOf(Buffer.concat([Buffer.from('workspace'), inputKey]))).slice(0, 32)}`;
  capture = new ErrorCapture({
    workspaceId,
    release: version,
    inputKey,
    redactor: createRedactor('envelope', [...secretLiterals(process.env), ...configuredSecrets(configuration)]),
    spoolFolder: join(dataFolder(workspace), 'spool'),
  });
  watchProcess(capture, 'L2', ({ errorId }, error) => {
    console.error(`waybill: ${error instanceof Error ? error.message : String(error)} (${errorId})`);
  });
  return { capture, workspaceId };
}

async function buildEngine(parts: {
  readonly workspace: Workspace;
  readonly configuration: Configuration;
  readonly configDigest: string | null;
  readonly store: Store;
  readonly capture: ErrorCapture;
}): Promise<Engine> {
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
    blobs,
    redactor,
    literals,
    leases,
    task,
    command,
    clock,
  ] = await Promise.all([
    import('./executors/processes/process-port.ts'),
    import('./executors/processes/exec.ts'),
    import('./executors/processes/environment.ts'),
    import('./executors/processes/host.ts'),
    import('./executors/processes/containment.ts'),
    import('./executors/agents/agent-port.ts'),
    import('./executors/snapshots/snapshot-port.ts'),
    import('./executors/checkout/checkout-port.ts'),
    import('./platform/blobs/folder-blobs.ts'),
    import('./platform/redaction/redactor.ts'),
    import('./platform/redaction/secret-literals.ts'),
    import('./domain/runs/lease/lease-keeper.ts'),
    import('./domain/runs/workflows/task.ts'),
    import('./domain/runs/workflows/exec.ts'),
    import('./platform/clock/clock.ts'),
  ]);
  const data = dataFolder(workspace);
  const { systemClock } = clock;
  const processPort = processes.createProcessPort(await containment.probeContainment());
  const workflows = [task.taskWorkflow, command.execWorkflow, ...configuration.workflows];
  return {
    store,
    clock: systemClock,
    host: host.createHost(),
    processes: processPort,
    commands: exec.createExecPort(processPort),
    agents: agents.createAgentPort({ processes: processPort, clock: systemClock, environment: process.env }),
    snapshots: snapshots.createSnapshotPort({ cacheFile: join(data, 'cache', 'tree'), clock: systemClock }),
    checkout: checkout.createCheckoutPort({ clock: systemClock }),
    blobs: blobs.createFolderBlobs(join(data, 'blobs')),
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

async function runRetention(errors: ErrorStore, { dryRun }: { readonly dryRun: boolean }): Promise<RetentionReport> {
  const report = await errors.cleanup({ keepDays: keepEnvelopesDays, dryRun });
  const reason = `kept for ${keepEnvelopesDays} days`;
  return { dryRun, tables: [{ table: 'infra_error_events', removed: report.removed, kept: report.kept, reason }] };
}

/** What the configuration says must never be stored. */
function configuredSecrets({ redact }: Configuration): (string | RegExp)[] {
  const values = redact.env.map((name) => process.env[name] ?? '').filter((value) => value !== '');
  return [...values, ...redact.patterns];
}

function readPackage(): { readonly version: string } {
  const parsed: unknown = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  if (typeof parsed === 'object' && parsed !== null && 'version' in parsed && typeof parsed.version === 'string') {
    return { version: parsed.version };
  }
  throw new Error('package.json of waybill has no version');
}
