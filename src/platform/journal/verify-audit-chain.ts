import { type Digest, isId } from '../../contract/ids.ts';
import { chainStart } from '../chain/chain.ts';
import type { PreparedSql, SqlRow, Store } from '../store/store.ts';
import { auditLink, type ChainHead, chainHead, sealedColumns } from './audit-link.ts';
import { selectHead } from './seal-audit.ts';

/** What is wrong with the chain, and where. */
export interface ChainProblem {
  /** The place of the record it was noticed at. */
  readonly position: number;
  /**
   * `changed`: the record is not what was sealed; `missing`: no record has this place; `cut`: it does not follow the
   * record before it; `beyond`: it lies behind the end of the chain; `head`: the chain does not end as it says.
   */
  readonly problem: 'changed' | 'missing' | 'cut' | 'beyond' | 'head';
  readonly message: string;
}

export interface AuditChainReport {
  readonly intact: boolean;
  /** How many sealed records were looked at. */
  readonly checked: number;
  /** Records that are not sealed yet: of these nothing can be said. */
  readonly unsealed: number;
  readonly head: { readonly position: number; readonly digest: string } | null;
  /** The first hundred, in the order of the chain. */
  readonly problems: readonly ChainProblem[];
  readonly problemCount: number;
}

const page = 1_000;
const mostProblems = 100;
const columns = `${sealedColumns}, position, previous, digest`;
const selectPage: PreparedSql = {
  sqlite: `SELECT ${columns} FROM audit WHERE position > ? ORDER BY position LIMIT ?`,
  postgres: `SELECT ${columns} FROM audit WHERE position > $1 ORDER BY position LIMIT $2`,
};
const countUnsealed: PreparedSql = {
  sqlite: 'SELECT count(*) AS count FROM audit WHERE position IS NULL',
  postgres: 'SELECT count(*) AS count FROM audit WHERE position IS NULL',
};

/**
 * Walks the chain of the audit from its first record to its head, a page at a time. Others may write and seal
 * meanwhile. What was cut off at the end together with the head cannot be seen from inside: compare `head` with one
 * that was noted elsewhere.
 */
export async function verifyAuditChain(store: Store): Promise<AuditChainReport> {
  const problems: ChainProblem[] = [];
  let problemCount = 0;
  const complain = (position: number, problem: ChainProblem['problem'], message: string): void => {
    problemCount++;
    if (problems.length < mostProblems) problems.push({ position, problem, message });
  };
  const counted = await store.select(countUnsealed, []);
  const head = await readHead(store);
  if (head === null) complain(0, 'head', 'the end of the chain is not recorded, or not as one');
  let end = head;
  let checked = 0;
  let last: { readonly position: number; readonly digest: Digest | null } = { position: 0, digest: chainStart };
  for (;;) {
    const rows = await store.select(selectPage, [last.position, page]);
    for (const row of rows) {
      const position = Number(row.position);
      // Somebody may have sealed more since the head was read.
      if (end !== null && position > end.position) end = await readHead(store);
      if (end !== null && position > end.position) {
        complain(
          position,
          'beyond',
          `the record ${show(row)} lies behind the end of the chain, which is ${end.position}`,
        );
      }
      if (position !== last.position + 1) {
        const [from, to] = [last.position + 1, position - 1];
        const many = from === to ? `no record has the place ${from}` : `no records have the places ${from} to ${to}`;
        complain(from, 'missing', `${many}: deleted after they were sealed`);
      }
      checkLink(row, position, last, complain);
      checked++;
      last = { position, digest: isId('digest', row.digest) ? row.digest : null };
      if (head !== null && position === head.position && last.digest !== head.digest) {
        complain(position, 'head', 'the last record is not the one the chain says it ends with');
      }
    }
    if (rows.length < page) break;
  }
  if (head !== null && last.position < head.position) {
    complain(
      last.position + 1,
      'missing',
      `the chain ends at ${head.position}, but its last record is ${last.position}`,
    );
  }
  const unsealed = Number(counted[0]?.count ?? 0);
  return { intact: problemCount === 0, checked, unsealed, head, problems, problemCount };
}

function checkLink(
  row: SqlRow,
  position: number,
  last: { readonly position: number; readonly digest: Digest | null },
  complain: (position: number, problem: ChainProblem['problem'], message: string) => void,
): void {
  const { previous, digest } = row;
  if (!isId('digest', previous) || auditLink(row, position, previous) !== digest) {
    complain(position, 'changed', `the record ${show(row)} is not what was sealed`);
  }
  const follows = last.position === position - 1 && last.digest !== null;
  if (follows && previous !== last.digest) {
    complain(position, 'cut', `the record ${show(row)} was sealed after another one than the one before it`);
  }
}

async function readHead(store: Store): Promise<ChainHead | null> {
  const [row] = await store.select(selectHead, []);
  const parsed = chainHead.safeParse(row);
  return parsed.success ? parsed.data : null;
}

function show({ id, action }: SqlRow): string {
  return `${String(id)} (${String(action).slice(0, 80)})`;
}
