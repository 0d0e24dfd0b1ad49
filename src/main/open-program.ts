import { userInfo } from 'node:os';
import { join } from 'node:path';
import { dataFolder, type Workspace } from '../domain/workspace/workspace.ts';
import type { ErrorCapture } from '../platform/envelopes/capture.ts';
import type { Store } from '../platform/store/store.ts';
import type { OwnProgram } from '../surfaces/cli/program.ts';
import { openWorkspace } from './open-workspace.ts';

/** Without a token, whoever may use this machine's files is who acts. */
const actor = `local:${userInfo().uid}`;

/** Everything a workspace offers, as the commands call it; the store stays open until `open` is disposed. */
export async function openProgram(workspace: Workspace, open: AsyncDisposableStack): Promise<OwnProgram> {
  const [{ createRunsProgram }, { createPapers }, { Projector }] = await Promise.all([
    import('../surfaces/cli/runs-program.ts'),
    import('../surfaces/cli/papers.ts'),
    import('../workers/projector.ts'),
  ]);
  const opened = await openWorkspace(workspace, { store: null }, open);
  const { engine, tools, configuration, capture, errorStore, registry, webhooks } = opened;
  const folder = join(dataFolder(workspace), 'runs');
  const projector = new Projector(engine, folder, {
    onProblem: (problem) => void capture.capture(problem, { layer: 'L5', component: 'projector' }),
  });
  if (configuration.evidence !== 'on-demand') await projector.start();
  return createRunsProgram({
    engine,
    actor,
    configuration,
    workspace,
    tools,
    evidence: projector,
    registry,
    releases: async () => (await import('./build-releases.ts')).buildReleases(workspace, await registry()),
    webhooks,
    relayWebhooks: async () => {
      const { OutboxRelay } = await import('../workers/outbox-relay.ts');
      const report = (error: unknown) => capture.capture(error, { layer: 'L5', component: 'outbox-relay' });
      return new OutboxRelay({ webhooks: await webhooks(), actor, report }).once();
    },
    papers: createPapers(engine, actor, folder),
    runRetention: async (request) => {
      const [{ runRetention }, { versionsOfRuns }] = await Promise.all([
        import('../workers/run-retention.ts'),
        import('../domain/registry/collection/versions-of-runs.ts'),
      ]);
      const blockers = [versionsOfRuns(engine.store)];
      return runRetention({ engine, errorStore, configuration, blockers }, { ...request, actor });
    },
    close: async () => {
      await projector.close();
      await sealWritten(engine.store, capture);
    },
  });
}

/** What a command has written is in the chain when it ends; one that wrote nothing pays one look. */
async function sealWritten(store: Store, capture: ErrorCapture): Promise<void> {
  try {
    const { sealAudit } = await import('../platform/journal/seal-audit.ts');
    await sealAudit(store);
  } catch (error) {
    // The command has done its work: the next one, or a daemon, seals what is left.
    await capture.capture(error, { layer: 'L2', component: 'audit' });
  }
}
