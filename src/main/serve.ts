import { join } from 'node:path';
import { Runs } from '../domain/runs/runs.ts';
import { removeDaemonFile, writeDaemonFile } from '../domain/workspace/daemon-file.ts';
import { socketPathFor } from '../domain/workspace/socket-path.ts';
import { ensureLocalToken } from '../domain/workspace/tokens/local-token.ts';
import { openTokens } from '../domain/workspace/tokens/open-tokens.ts';
import { dataFolder, type Workspace } from '../domain/workspace/workspace.ts';
import type { ServeOptions } from '../surfaces/cli/program.ts';
import { logLevel } from '../surfaces/http/access-log.ts';
import type { HttpParts } from '../surfaces/http/http-parts.ts';
import { startHttpServer } from '../surfaces/http/http-server.ts';
import { Projector } from '../workers/projector.ts';
import { RunWorker } from '../workers/run-worker.ts';
import { openWorkspace } from './open-workspace.ts';
import { version } from './package-version.ts';
import { spans } from './process-wide.ts';
import { readiness } from './readiness.ts';

/** How long answers under way may take once everything else is at rest. */
const lastAnswersMs = 2_000;

/** The daemon of a workspace: HTTP surface, run worker and retention on one store, until it is told to stop. */
export async function serve(workspace: Workspace, options: ServeOptions, open: AsyncDisposableStack): Promise<void> {
  const opened = await openWorkspace(workspace, options, open);
  const { engine, errorStore, capture, tools } = opened;
  const configuration = {
    ...opened.configuration,
    daemon: {
      ...opened.configuration.daemon,
      concurrency: options.concurrency ?? opened.configuration.daemon.concurrency,
    },
  };
  const { daemon } = configuration;
  const data = dataFolder(workspace);
  const report = (component: string) => (error: unknown) => capture.capture(error, { layer: 'L5', component });
  const projector = new Projector(engine, join(data, 'runs'), {
    onProblem: (problem) => void report('projector')(problem),
  });
  const files = configuration.evidence === 'files';
  if (files) await projector.start();
  const worker = new RunWorker({
    engine,
    runs: new Runs(engine),
    concurrency: daemon.concurrency,
    maxQueue: daemon.maxQueue,
    toolLimits: tools.limits,
    report: report('run-worker'),
    ...(files ? { evidence: projector } : {}),
  });
  const tokens = openTokens(engine.store, engine.clock, { report: report('tokens') });
  const tokenFile = join(data, 'keys', 'token');
  await ensureLocalToken(engine.store, tokens, tokenFile);
  const parts: HttpParts = {
    engine,
    workspace,
    configuration,
    tools,
    tokens,
    registry: await opened.registry(),
    webhooks: await opened.webhooks(),
    submit: (request) => worker.submit(request),
    readiness: () => readiness(engine, worker),
    worker: () => worker.statistics,
    errors: capture,
    spans,
    version,
  };
  const { AuditSealer } = await import('../workers/audit-sealer.ts');
  const sealer = new AuditSealer({ store: engine.store, report: report('audit') });
  sealer.start();
  const socket = options.socket === 'own' ? await socketPathFor(workspace) : (options.socket?.path ?? null);
  const server = await startHttpServer(parts, { socket, port: options.port });
  const serving = { url: server.url, socket: server.socket, tokenFile, pid: process.pid };
  try {
    await writeDaemonFile(workspace, { ...serving, version, startedAt: new Date().toISOString() });
    await options.ready(serving);
    // Compiling schemas takes longest of all: the first caller need not wait for it. What waits in the queue does, because
    // how many runs of a tool may be at work is in its description.
    await tools.list().catch(report('tools'));
    worker.start();
    // Its first pass is minutes away: it is loaded when everything else is up.
    const [{ RetentionWorker }, { versionsOfRuns }] = await Promise.all([
      import('../workers/retention.ts'),
      import('../domain/registry/collection/versions-of-runs.ts'),
    ]);
    const blockers = [versionsOfRuns(engine.store)];
    const retention = new RetentionWorker({
      engine,
      errorStore,
      configuration,
      blockers,
      report: report('retention'),
      log,
    });
    retention.start();
    const { RegistrySweeper } = await import('../workers/registry-sweeper.ts');
    const sweeper = new RegistrySweeper({ registry: parts.registry, report: report('registry') });
    sweeper.start();
    const { OutboxRelay } = await import('../workers/outbox-relay.ts');
    const relay = new OutboxRelay({
      webhooks: parts.webhooks,
      actor: `local:${process.getuid?.() ?? 0}`,
      report: report('outbox-relay'),
      log: (line) => log(line, 'outbox-relay'),
    });
    relay.start();
    await aborted(options.stop);
    options.now.addEventListener('abort', () => void worker.drain(0));
    await Promise.all([
      retention.close(),
      sweeper.close(),
      relay.close(),
      worker.drain(options.now.aborted ? 0 : daemon.drainMs),
    ]);
  } finally {
    await server.close(lastAnswersMs);
    await tokens.close();
    await removeDaemonFile(workspace, process.pid);
    await projector.close();
    await sealer.close();
  }
}

/** In the form of the surface's own log, and told where that tells of what went well. */
function log(msg: string, component = 'retention'): void {
  if (!['debug', 'info'].includes(logLevel(process.env.WAYBILL_LOG))) return;
  process.stderr.write(`${JSON.stringify({ level: 30, time: Date.now(), component, msg })}\n`);
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
