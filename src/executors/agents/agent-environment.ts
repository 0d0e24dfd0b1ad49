import type { AgentSessionContext, AgentSettings } from '../../domain/runs/ports.ts';
import { buildEnvironment } from '../processes/environment.ts';

/**
 * The whole environment of an agent's process: the harmless variables and those its configuration allows, what the
 * configuration sets, and what every agent is told of the run.
 */
export function agentEnvironment(
  parent: NodeJS.ProcessEnv,
  settings: AgentSettings,
  context: AgentSessionContext,
): Record<string, string> {
  return buildEnvironment(parent, {
    allow: settings.allowEnv,
    set: {
      ...settings.setEnv,
      WAYBILL_RUN_ID: context.runId,
      WAYBILL_WORKSPACE: context.workspaceRoot,
      WAYBILL_HEARTBEAT_MS: String(settings.heartbeatMs),
      ...(context.traceparent === null
        ? {}
        : { TRACEPARENT: context.traceparent, WAYBILL_TRACEPARENT: context.traceparent }),
    },
  });
}
