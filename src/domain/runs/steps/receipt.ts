import { WaybillError } from '../../../contract/errors.ts';
import { type Receipt, receiptSchema } from '../../../contract/evidence.ts';
import { parseId } from '../../../contract/ids.ts';
import type { JsonValue } from '../../../contract/json.ts';
import { canonicalJson } from '../../../platform/canonical-json/canonical-json.ts';
import { formatTimeMicros, type Micros } from '../../../platform/clock/clock.ts';
import type { RunFacts } from '../execution/execution.ts';
import type { StepWork } from '../keys/step-key.ts';
import type { BlobPort } from '../ports.ts';

/** Bodies larger than this go to the blobs; the record keeps digest, size and a preview. */
export const largestInline = 65_536;
const previewLength = 1_024;

type Place = { readonly first: number; readonly last: number; readonly number: number; readonly now: Micros };

export function receiptOf(parts: {
  readonly run: RunFacts;
  readonly work: StepWork;
  readonly place: Place;
  readonly idempotencyKey: string;
  /** The tree the key was made with. */
  readonly snapshot: string | null;
  readonly attempts: number;
  readonly startedAt: Micros;
  readonly treeAfter: string | null;
  readonly outcome: Receipt['outcome'];
  readonly artifacts: Receipt['artifacts'];
  readonly redactions: number;
  readonly outputs?: Receipt['outputs'];
  readonly outputsBlob?: Receipt['outputsBlob'];
  readonly failure?: Receipt['failure'];
}): Receipt {
  const { run, work, place } = parts;
  return {
    schema: 'waybill.receipt.v1',
    runId: run.runId,
    number: place.number,
    task: work.task,
    action: work.action,
    step: work.step,
    root: run.root,
    idempotencyKey: parts.idempotencyKey,
    snapshot: parts.snapshot,
    inputs: work.inputs,
    expectedOutputs: [...work.expectedOutputs],
    outcome: parts.outcome,
    ...(parts.outputs === undefined ? {} : { outputs: parts.outputs }),
    ...(parts.outputsBlob === undefined ? {} : { outputsBlob: parts.outputsBlob }),
    ...(parts.failure === undefined ? {} : { failure: parts.failure }),
    artifacts: [...parts.artifacts],
    attempts: parts.attempts,
    events: { first: place.first, last: place.last },
    startedAt: formatTimeMicros(parts.startedAt),
    finishedAt: formatTimeMicros(place.now),
    treeAfter: parts.treeAfter,
    redactions: parts.redactions,
  };
}

/** A value as it is recorded: inline, or in the blobs with a preview. */
export async function keepOutputs(
  outputs: JsonValue,
  blobs: BlobPort,
): Promise<Pick<Receipt, 'outputs' | 'outputsBlob'>> {
  const text = canonicalJson(outputs);
  // As it will be read back, not as it came: what a workflow gets does not depend on when it gets it.
  if (text.length <= largestInline) {
    const stored: JsonValue = JSON.parse(text);
    return { outputs: stored };
  }
  const bytes = Buffer.from(text);
  const blob = await blobs.put(bytes);
  const outputsBlob = { blob, size: bytes.length, preview: text.slice(0, previewLength).toWellFormed() };
  return { outputsBlob };
}

/** The outputs a receipt stands for. @throws WaybillError `blob_missing`, `blob_corrupt` */
export async function readOutputs(receipt: Receipt, blobs: BlobPort): Promise<JsonValue> {
  if (receipt.outputsBlob === undefined) return receipt.outputs ?? null;
  const bytes = await blobs.get(parseId('digest', receipt.outputsBlob.blob));
  const value: JsonValue = JSON.parse(Buffer.from(bytes).toString('utf8'));
  return value;
}

/** Reads a stored receipt. @throws WaybillError `store_corrupt` */
export function parseReceipt(body: string): Receipt {
  const parsed = receiptSchema.safeParse(JSON.parse(body));
  if (parsed.success) return parsed.data;
  throw new WaybillError('store_corrupt', 'the store holds a receipt that does not fit its schema', {
    hint: 'Find the first broken link with `waybill verify RUN`.',
  });
}
