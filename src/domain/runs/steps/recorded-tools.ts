import type { Receipt, StepReference } from '../../../contract/evidence.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../../contract/json.ts';
import { canonicalJson } from '../../../platform/canonical-json/canonical-json.ts';
import type { Replay } from '../execution/replay.ts';

interface ToolCallPlace {
  readonly task: string | null;
  readonly step: StepReference;
  /** The tool and its input, without what was found out about the tool when it was called. */
  readonly asked: JsonObject;
}

const indexes = new WeakMap<Replay, ReadonlyMap<string, Receipt>>();

/** The receipt of an earlier call of a tool in this place with this input, whatever its description was then. */
export function recordedToolCall(replay: Replay, place: ToolCallPlace): Receipt | undefined {
  if (replay.empty) return undefined;
  const index = indexes.get(replay) ?? indexOf(replay);
  indexes.set(replay, index);
  return index.get(keyOf(place));
}

function indexOf(replay: Replay): ReadonlyMap<string, Receipt> {
  const index = new Map<string, Receipt>();
  for (const receipt of replay.receiptsOf('tool')) {
    const { task, step } = receipt;
    index.set(keyOf({ task, step, asked: askedIn(receipt.inputs) }), receipt);
  }
  return index;
}

function askedIn(inputs: JsonValue): JsonObject {
  if (!isJsonObject(inputs)) return {};
  const { tool = null, input = null } = inputs;
  return { tool, input };
}

function keyOf({ task, step, asked }: ToolCallPlace): string {
  return canonicalJson({ task, step, asked });
}
