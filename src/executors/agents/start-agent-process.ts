import { WaybillError } from '../../contract/errors.ts';
import type { AgentSessionContext, AgentSettings, HeldProcess, ProcessPort } from '../../domain/runs/ports.ts';
import { agentFailure } from './agent-failure.ts';

/**
 * Starts an agent's process and holds it until its identity is durable, so that whatever happens from here on, a
 * later runner knows what to look for. The caller releases it.
 * @throws WaybillError `agent_spawn_failed`; and what `onProcess` throws, after the process is gone.
 */
export async function startAgentProcess(
  deps: { readonly processes: ProcessPort; readonly settings: AgentSettings; readonly context: AgentSessionContext },
  argv: readonly [string, ...string[]],
  env: Readonly<Record<string, string>>,
): Promise<HeldProcess> {
  const { settings, context } = deps;
  const process = await deps.processes
    .start({ argv, cwd: context.workspaceRoot, env, marker: context.marker })
    .catch((error: unknown) => {
      throw spawnFailure(settings.name, error);
    });
  // Until somebody listens: an early end is reported to whoever reads `exited` next.
  process.exited.catch(() => {});
  try {
    await context.onProcess(process.identity);
  } catch (error) {
    await process.kill(0);
    throw error;
  }
  return process;
}

/** The failure of a process that never began its program; the cause knows best whether trying again may help. */
export function spawnFailure(agent: string, error: unknown): WaybillError {
  const why = error instanceof Error ? error.message : String(error);
  const known = error instanceof WaybillError ? error.details?.retryable : undefined;
  const details = typeof known === 'boolean' ? { retryable: known } : {};
  return agentFailure('agent_spawn_failed', agent, `could not be started: ${why}`, details, error);
}
