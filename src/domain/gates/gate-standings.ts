import { z } from 'zod';
import type { Digest } from '../../contract/ids.ts';
import type { ReadTx } from '../../platform/store/store.ts';
import type { Gate, GateStanding } from './gate.ts';
import { definitionDigest } from './run-gates.ts';
import type { GateRunTable } from './tables.ts';

const findingsShape = z.object({ problems: z.array(z.object({ where: z.string(), message: z.string() })) });
const states = { passed: 'green', failed: 'red', error: 'error' } as const satisfies Record<
  GateRunTable['outcome'],
  GateStanding['state']
>;

/**
 * How each required gate stands for a subject: the last word of its evidence under the definition it has now.
 * @param evidence ids of the only evidence that counts, when not all does
 */
export async function gateStandings<Subject>(
  { db }: Pick<ReadTx, 'db'>,
  required: readonly string[],
  gates: ReadonlyMap<string, Gate<Subject>>,
  subject: Digest,
  evidence?: readonly string[],
): Promise<readonly GateStanding[]> {
  if (required.length === 0) return [];
  const all = await db
    .selectFrom('gate_run')
    .select(['id', 'gate', 'definition_digest', 'outcome', 'findings'])
    .where('subject_digest', '=', subject)
    .where('gate', 'in', [...required])
    .orderBy('finished_at', 'desc')
    .orderBy('id', 'desc')
    .execute();
  const rows = evidence === undefined ? all : all.filter(({ id }) => evidence.includes(id));
  return required.map((id) => {
    const gate = gates.get(id);
    if (gate === undefined) return { gate: id, state: 'unknown', evidence: null, problems: [] };
    const about = rows.filter((row) => row.gate === id);
    const last = about.find((row) => row.definition_digest === definitionDigest(gate));
    if (last === undefined) {
      return { gate: id, state: about.length === 0 ? 'missing' : 'stale', evidence: null, problems: [] };
    }
    const { problems } = findingsShape.parse(JSON.parse(last.findings));
    return { gate: id, state: states[last.outcome], evidence: last.id, problems };
  });
}
