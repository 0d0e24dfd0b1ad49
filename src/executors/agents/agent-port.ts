import { WaybillError } from '../../contract/errors.ts';
import { parseId } from '../../contract/ids.ts';
import type {
  AgentPort,
  AgentSession,
  AgentSessionContext,
  AgentSettings,
  ProcessPort,
} from '../../domain/runs/ports.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import { createRedactor } from '../../platform/redaction/redactor.ts';
import { secretLiterals } from '../../platform/redaction/secret-literals.ts';
import { agentEnvironment } from './agent-environment.ts';
import { ExecSession } from './exec-session.ts';
import { FunctionSession } from './function-session.ts';
import { startAgentProcess } from './start-agent-process.ts';
import { StdioSession } from './stdio-session.ts';

export interface AgentPortDeps {
  readonly processes: ProcessPort;
  readonly clock: Clock;
  /** The environment the allowlist chooses from: `process.env`. */
  readonly environment: NodeJS.ProcessEnv;
}

/** Reaches agents over the transports `stdio`, `exec` and `function`; see the session of each. */
export function createAgentPort(deps: AgentPortDeps): AgentPort {
  return { open: (settings, context) => open(deps, settings, context) };
}

async function open(deps: AgentPortDeps, settings: AgentSettings, context: AgentSessionContext): Promise<AgentSession> {
  parseId('name', settings.name);
  switch (settings.transport) {
    case 'function': {
      if (settings.handler === undefined) throw unfit(settings, 'has no handler');
      return new FunctionSession(settings, settings.handler);
    }
    case 'exec': {
      const argv = commandOf(settings);
      return new ExecSession({ ...withProcess(deps, settings, context), argv });
    }
    case 'stdio': {
      const argv = commandOf(settings);
      const full = withProcess(deps, settings, context);
      const session = new StdioSession(await startAgentProcess(full, argv, full.env), full);
      await session.start();
      return session;
    }
  }
}

function withProcess(deps: AgentPortDeps, settings: AgentSettings, context: AgentSessionContext) {
  const env = agentEnvironment(deps.environment, settings, context);
  const redactor = createRedactor('ledger', secretLiterals({ ...deps.environment, ...env }));
  return { ...deps, settings, context, env, redactor };
}

function commandOf(settings: AgentSettings): readonly [string, ...string[]] {
  const [program, ...rest] = settings.command;
  if (program === undefined || program === '') throw unfit(settings, 'has no command');
  return [program, ...rest];
}

function unfit(settings: AgentSettings, what: string): WaybillError {
  return new WaybillError('config_invalid', `agent ${settings.name} of transport ${settings.transport} ${what}`, {
    hint: 'Set `command` (transports stdio and exec) or `handler` (transport function) of this agent in waybill.config.ts.',
  });
}
