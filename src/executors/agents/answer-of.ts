import type { CompletedEvent, ErrorEvent } from '../../contract/agent-protocol.ts';
import { WaybillError } from '../../contract/errors.ts';
import { isJsonObject, type JsonObject } from '../../contract/json.ts';
import type { AgentAnswer } from '../../domain/runs/ports.ts';
import { parseDigest } from '../../platform/digests/digest.ts';
import { makeJsonWellFormed, makeWellFormed } from '../../platform/files/make-well-formed.ts';
import type { Redactor } from '../../platform/redaction/redactor.ts';

/** What a command gets from the event that answers it: the result, or the error the agent reported. */
export function answerOf(
  line: CompletedEvent | ErrorEvent,
  agent: string,
  redactor: Redactor,
): AgentAnswer | WaybillError {
  if (line.event === 'error') {
    const { code, message, retryable } = line.error;
    return new WaybillError(
      'agent_error',
      `agent ${agent} failed: ${makeWellFormed(redactor.text(message).text).value.slice(0, 4096)}`,
      {
        hint: retryable
          ? 'The agent says that trying again may help.'
          : 'The agent says that trying again will not help.',
        details: { agent, retryable, agentCode: code },
      },
    );
  }
  return {
    outputs: keptObject(line.outputs),
    artifacts: line.artifacts.map(({ path, size, digest }) => ({ path, size, digest: parseDigest(digest) })),
  };
}

/** Text the store cannot hold (NUL, lone surrogates) is kept escaped, and the outputs say so. */
function keptObject(outputs: JsonObject): JsonObject {
  const { value, escaped } = makeJsonWellFormed(outputs);
  return escaped && isJsonObject(value) ? { ...value, escaped: true } : outputs;
}
