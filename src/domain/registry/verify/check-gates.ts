import { z } from 'zod';
import { canonicalJson } from '../../../platform/canonical-json/canonical-json.ts';
import type { ReadTx } from '../../../platform/store/store.ts';
import { jsonOf } from './json-of.ts';
import { assertLink, BrokenRelease } from './release-link.ts';
import { actorOf, type KeptRow } from './store-records.ts';

const passed = z.array(z.strictObject({ gate: z.string(), evidence: z.string() }));
const findings = z.strictObject({ checked: z.int().min(1), problems: z.tuple([]) });
const recorded = z.looseObject({ gate: z.string(), subject: z.string(), outcome: z.string(), checked: z.int() });

/**
 * The gate runs that let a version be published: each passed, for this digest, as its audit record says.
 * @returns how many @throws BrokenRelease
 */
export async function checkGates({ db }: ReadTx, row: KeptRow): Promise<number> {
  const gates = passed.safeParse(jsonOf(row.gates));
  if (!gates.success) throw new BrokenRelease('package', 'its gates', 'a list of gate runs', String(row.gates));
  assertLink('package', 'its gates', canonicalJson(gates.data), String(row.gates));
  for (const { gate, evidence } of gates.data) {
    const where = `the gate run ${evidence}`;
    const run = await db.selectFrom('gate_run').selectAll().where('id', '=', evidence).executeTakeFirst();
    const found =
      run === undefined ? 'none' : `${run.gate} ${run.outcome} for the ${run.subject_kind} ${run.subject_digest}`;
    assertLink('package', where, `${gate} passed for the version ${row.digest}`, found);
    if (run === undefined) continue;
    const said = findings.safeParse(jsonOf(run.findings));
    if (!said.success) throw new BrokenRelease('package', where, 'findings without a problem', run.findings);
    assertLink('package', where, canonicalJson(said.data), run.findings);
    const record = await db
      .selectFrom('audit')
      .select(['at', 'actor', 'details'])
      .where('resource', '=', evidence)
      .where('action', '=', 'gate.run')
      .executeTakeFirst();
    const details = recorded.safeParse(jsonOf(record?.details ?? null));
    if (record === undefined || !details.success) {
      throw new BrokenRelease('package', where, 'an audit record of it', 'none');
    }
    const { checked } = said.data;
    const { subject, outcome } = details.data;
    assertLink(
      'package',
      `${where}, as it was recorded`,
      `${record.at} ${record.actor} ${details.data.gate} ${outcome} ${subject} ${details.data.checked}`,
      `${run.finished_at} ${actorOf(run.actor)} ${run.gate} ${run.outcome} ${run.subject_digest} ${checked}`,
    );
  }
  return gates.data.length;
}
