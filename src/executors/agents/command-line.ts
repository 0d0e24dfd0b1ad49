import { type CommandLine, maxLineBytes } from '../../contract/agent-protocol.ts';
import { WaybillError } from '../../contract/errors.ts';
import type { AgentCommand } from '../../domain/runs/ports.ts';
import { type Clock, formatTime } from '../../platform/clock/clock.ts';
import { makeTraceId } from '../../platform/ids/make-id.ts';

export interface OutgoingCommand {
  readonly correlationId: string;
  /** The line with its newline. */
  readonly line: string;
  /** Bytes of the line without its newline. */
  readonly bytes: number;
}

/** What of a session goes into each of its commands. */
export interface CommandContext {
  readonly workspaceRoot: string;
  readonly traceparent: string | null;
}

/**
 * Makes the line that asks an agent for the work of `command`; each sending has ids of its own.
 * @throws WaybillError `invalid_input` when the line has more than `maxLineBytes` bytes.
 */
export function commandLine(
  command: AgentCommand,
  context: CommandContext,
  deadlineMs: number,
  clock: Clock,
): OutgoingCommand {
  const outgoing = unlimitedCommandLine(command, context, deadlineMs, clock);
  const { bytes } = outgoing;
  if (bytes <= maxLineBytes) return outgoing;
  throw new WaybillError(
    'invalid_input',
    `the command of step ${command.step} has ${bytes} bytes, ${maxLineBytes} is the most`,
    {
      hint: 'Write the big input to a file in the workspace and pass its path.',
      details: { bytes, limit: maxLineBytes, retryable: false },
    },
  );
}

/** The same without the limit: for measuring, and for trying what an agent does with a line that is too long. */
export function unlimitedCommandLine(
  command: AgentCommand,
  context: CommandContext,
  deadlineMs: number,
  clock: Clock,
): OutgoingCommand {
  const correlationId = makeTraceId();
  const line: CommandLine = {
    type: 'command',
    messageId: makeTraceId(),
    correlationId,
    idempotencyKey: command.idempotencyKey,
    runId: command.runId,
    task: command.task,
    step: command.step,
    attempt: command.attempt,
    resent: command.resent,
    action: command.action,
    inputs: command.inputs,
    expectedOutputs: [...command.expectedOutputs],
    snapshot: command.snapshot,
    workspace: context.workspaceRoot,
    deadline: formatTime(clock.now() + deadlineMs * 1000),
    priority: 0,
    traceparent: context.traceparent,
  };
  const text = JSON.stringify(line);
  return { correlationId, line: `${text}\n`, bytes: Buffer.byteLength(text) };
}
