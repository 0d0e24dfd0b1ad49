import { type ErrorCode, WaybillError } from '../../contract/errors.ts';
import type { JsonObject } from '../../contract/json.ts';

/**
 * What an agent can do wrong, whether the same command may work when it is sent again to a new process, and what
 * a person can do. Dying and being late may pass; breaking the protocol is in the agent's code and will not.
 */
const failures = {
  agent_spawn_failed: {
    retryable: false,
    hint: 'Check the command of this agent in waybill.config.ts; run it by hand.',
  },
  agent_no_hello: {
    retryable: true,
    hint: 'The first line an agent writes must be its hello; raise helloTimeoutMs if it starts slowly.',
  },
  agent_bad_hello: { retryable: false, hint: 'Check the agent with `waybill agents check -- CMD`.' },
  agent_exited: { retryable: true, hint: 'See the lines the agent wrote to stderr; run it by hand.' },
  agent_timeout: { retryable: true, hint: 'Raise the deadline of the agent or of the step if the work needs longer.' },
  agent_heartbeat_lost: {
    retryable: true,
    hint: 'The agent is stuck, or needs a larger heartbeatMs or missedHeartbeats.',
  },
  agent_line_too_long: {
    retryable: false,
    hint: 'Write big content to a file in the workspace and name it as an artifact.',
  },
  agent_bad_line: {
    retryable: false,
    hint: 'Only protocol lines belong on stdout, all else on stderr; see `waybill agents check -- CMD`.',
  },
  agent_wrong_correlation: {
    retryable: false,
    hint: 'An event must carry the correlationId of the command it answers.',
  },
  agent_duplicate_answer: {
    retryable: false,
    hint: 'An agent answers each command once, with `completed` or with `error`.',
  },
} as const satisfies Partial<Record<ErrorCode, { retryable: boolean; hint: string }>>;

export type AgentFailureCode = keyof typeof failures;

/** The failure of an agent, typed; `details` always say the agent and `retryable`. */
export function agentFailure(
  code: AgentFailureCode,
  agent: string,
  what: string,
  details: JsonObject = {},
  cause?: unknown,
): WaybillError {
  const { retryable, hint } = failures[code];
  return new WaybillError(code, `agent ${agent} ${what}`, { hint, details: { agent, retryable, ...details }, cause });
}
