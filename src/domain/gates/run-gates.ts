import { WaybillError } from '../../contract/errors.ts';
import type { Digest } from '../../contract/ids.ts';
import { canonicalJson } from '../../platform/canonical-json/canonical-json.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import { digestOf } from '../../platform/digests/digest.ts';
import { makeJsonWellFormed } from '../../platform/files/make-well-formed.ts';
import { makeId } from '../../platform/ids/make-id.ts';
import { commit } from '../../platform/journal/commit.ts';
import { redactJson } from '../../platform/redaction/redactor.ts';
import type { Store } from '../../platform/store/store.ts';
import type { Gate, GateFindings } from './gate.ts';

/** What the evidence is about. */
export interface GateSubject {
  readonly kind: string;
  readonly digest: Digest;
}

/** The digest of a gate's definition: evidence of another one is stale. */
export function definitionDigest({ definition }: Pick<Gate<never>, 'definition'>): Digest {
  return digestOf(canonicalJson(definition));
}

/**
 * Runs one gate and keeps what it found, as evidence about this subject. A gate that throws is an `error`, never a pass.
 * @returns the id of the evidence: `gr_<32 hex>`
 */
export async function runGate<Subject>(
  { store, clock }: { readonly store: Store; readonly clock: Clock },
  gate: Gate<Subject>,
  { subject, about }: { readonly subject: Subject; readonly about: GateSubject },
  by: string,
): Promise<string> {
  const startedAt = clock.now();
  const found = await look(gate, subject);
  const finishedAt = clock.now();
  const { outcome, checked, problems } = found;
  const findings = { checked, problems: problems.map(({ where, message }) => ({ where, message })) };
  const row = {
    id: makeId('gateRun'),
    gate: gate.id,
    definition_digest: definitionDigest(gate),
    subject_kind: about.kind,
    subject_digest: about.digest,
    outcome,
    findings: canonicalJson(makeJsonWellFormed(redactJson(findings).value).value),
    started_at: startedAt,
    finished_at: finishedAt,
    actor: by,
  };
  await store.write((tx) =>
    commit(tx, {
      change: async () => void (await tx.db.insertInto('gate_run').values(row).execute()),
      audit: [
        {
          at: finishedAt,
          actor: by,
          action: 'gate.run',
          resource: row.id,
          outcome: 'succeeded',
          details: { gate: gate.id, subject: about.digest, outcome, checked },
        },
      ],
    }),
  );
  return row.id;
}

async function look<Subject>(
  gate: Gate<Subject>,
  subject: Subject,
): Promise<Omit<GateFindings, 'outcome'> & { readonly outcome: GateFindings['outcome'] | 'error' }> {
  try {
    const found = await gate.check(subject);
    // Nothing looked at is not a pass, whatever the gate says.
    return found.outcome === 'passed' && found.checked === 0
      ? { ...found, outcome: 'failed', problems: [{ where: gate.id, message: 'it looked at nothing' }] }
      : found;
  } catch (error) {
    const message = error instanceof WaybillError ? `${error.code}: ${error.message}` : 'it threw';
    return { outcome: 'error', checked: 0, problems: [{ where: gate.id, message }] };
  }
}
