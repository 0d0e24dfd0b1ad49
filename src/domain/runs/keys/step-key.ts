import type { StepReference } from '../../../contract/evidence.ts';
import { type IdempotencyKey, parseId } from '../../../contract/ids.ts';
import type { JsonValue } from '../../../contract/json.ts';
import { canonicalJson } from '../../../platform/canonical-json/canonical-json.ts';
import { digestOf, hexOf } from '../../../platform/digests/digest.ts';

/** What names one step's work, before the tree and the origin of the run are mixed in. */
export interface StepWork {
  readonly action: string;
  readonly task: string | null;
  readonly inputs: JsonValue;
  readonly expectedOutputs: readonly string[];
  readonly step: StepReference;
}

export interface KeySalt {
  /** Full digest of the tree the run counts as its input; null when the workflow takes no snapshot. */
  readonly snapshot: string | null;
  /**
   * First scope element of a run that shares receipts of another: without it a forked step would carry the key
   * of a step that has a receipt already, and an agent that remembers keys would answer with the old result.
   */
  readonly root: string;
}

/**
 * The idempotency key of a step: `ik:` + SHA-256 over the RFC 8785 form of `{action, task, snapshot, inputs,
 * expectedOutputs, path}` with path `{scope, name, occurrence}`. Message ids, times, priorities and attempts are
 * no part of it. Test vectors: docs/idempotency.md.
 * @throws WaybillError `not_canonical` when an input cannot be represented.
 */
export function idempotencyKey(work: StepWork, salt: KeySalt): IdempotencyKey {
  const scope = salt.root === '' ? work.step.scope : [salt.root, ...work.step.scope];
  const text = canonicalJson({
    action: work.action,
    task: work.task,
    snapshot: salt.snapshot,
    inputs: work.inputs,
    expectedOutputs: work.expectedOutputs,
    path: { scope, name: work.step.name, occurrence: work.step.occurrence },
  });
  return parseId('idempotencyKey', `ik:${hexOf(digestOf(text))}`);
}

/** Equal for the same work in the same place, whatever tree or origin: how a resumed step finds its receipt. */
export function workKey(work: StepWork): string {
  return hexOf(
    digestOf(
      canonicalJson({
        action: work.action,
        task: work.task,
        inputs: work.inputs,
        expectedOutputs: work.expectedOutputs,
        path: { scope: work.step.scope, name: work.step.name, occurrence: work.step.occurrence },
      }),
    ),
  );
}

/**
 * Counts, within one execution, how often a scope has asked for a step of the same name and the same inputs.
 * Only equal steps share a counter, so the order in which different ones come (`Promise.all`) cannot matter.
 */
export class OccurrenceCounter {
  readonly #counts = new Map<string, number>();

  next(scope: readonly string[], name: string, inputs: JsonValue): number {
    const key = canonicalJson({ inputs, name, scope });
    const occurrence = (this.#counts.get(key) ?? 0) + 1;
    this.#counts.set(key, occurrence);
    return occurrence;
  }
}

/** How people see a step: `implement`, `review#2`, `each:a/build`. */
export function displayStep(step: StepReference): string {
  const name = step.occurrence === 1 ? step.name : `${step.name}#${step.occurrence}`;
  return [...step.scope, name].join('/');
}
