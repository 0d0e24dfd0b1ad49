import { userInfo } from 'node:os';
import { join } from 'node:path';
import { dataFolder, type Workspace } from '../domain/workspace/workspace.ts';
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
  const { engine, tools, configuration, capture, errorStore, registry } = opened;
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
    papers: createPapers(engine, actor, folder),
    runRetention: async (request) => {
      const { runRetention } = await import('../workers/run-retention.ts');
      return runRetention({ engine, errorStore, configuration }, { ...request, actor });
    },
    close: () => projector.close(),
  });
}
