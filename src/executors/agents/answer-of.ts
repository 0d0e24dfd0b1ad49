import type { CompletedEvent, ErrorEvent } from '../../contract/agent-protocol.ts';
import { WaybillError } from '../../contract/errors.ts';
import type { JsonObject, JsonValue } from '../../contract/json.ts';
import type { AgentAnswer } from '../../domain/runs/ports.ts';
import { parseDigest } from '../../platform/digests/digest.ts';
import { makeJsonWellFormed, makeWellFormed } from '../../platform/files/make-well-formed.ts';

/** What a command gets from the event that answers it: the result, or the error the agent reported. */
export function answerOf(line: CompletedEvent | ErrorEvent, agent: string): AgentAnswer | WaybillError {
  if (line.event === 'error') {
    const { code, message, retryable } = line.error;
    return new WaybillError('agent_error', `agent ${agent} failed: ${makeWellFormed(message).value.slice(0, 4096)}`, {
      hint: retryable
        ? 'The agent says that trying again may help.'
        : 'The agent says that trying again will not help.',
      details: { agent, retryable, agentCode: code },
    });
  }
  return {
    outputs: keptObject(line.outputs),
    artifacts: line.artifacts.map(({ path, size, digest }) => ({ path, size, digest: parseDigest(digest) })),
  };
}

/** Text the store cannot hold (NUL, lone surrogates) is kept escaped, and the outputs say so. */
function keptObject(outputs: JsonObject): JsonObject {
  const { value, escaped } = makeJsonWellFormed(outputs);
  return escaped && isObject(value) ? { ...value, escaped: true } : outputs;
}

function isObject(value: JsonValue): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
