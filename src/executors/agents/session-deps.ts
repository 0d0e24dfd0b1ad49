import type { AgentSessionContext, AgentSettings } from '../../domain/runs/ports.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import type { Redactor } from '../../platform/redaction/redactor.ts';

/** What every session with a process is given. */
export interface SessionDeps {
  readonly settings: AgentSettings;
  readonly context: AgentSessionContext;
  readonly clock: Clock;
  /** Knows the secrets of our environment and of the agent's. */
  readonly redactor: Redactor;
}

/** How long one command may take, and who can end it before. */
export interface SendControl {
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
}
