import { sql } from 'kysely';
import { WaybillError } from '../../contract/errors.ts';
import type { RunState, RunStateName } from '../../contract/evidence.ts';
import { isId } from '../../contract/ids.ts';
import { canonicalJson } from '../../platform/canonical-json/canonical-json.ts';
import { runStates } from './run-states.ts';
import type { Looking } from './show-run.ts';

export interface RunFilter {
  /** Empty means all. */
  readonly states?: readonly RunStateName[];
  readonly workflow?: string | null;
  /** Runs that work on this task, among others or alone. */
  readonly task?: string | null;
  /** 1 to 1000. */
  readonly limit: number;
  /** `nextCursor` of the page before. */
  readonly cursor?: string | null;
}

export interface RunPage {
  /** Newest first. */
  readonly runs: readonly RunState[];
  /** Null on the last page. */
  readonly nextCursor: string | null;
}

const mostRuns = 1_000;

/**
 * Runs, newest first: ids sort by time. A cursor stays good whatever is added or changes meanwhile.
 * @throws WaybillError `invalid_argument` for a limit or cursor that is none
 */
export async function listRuns(engine: Looking, filter: RunFilter): Promise<RunPage> {
  const { limit, cursor = null, states = [], workflow = null, task = null } = filter;
  if (!Number.isInteger(limit) || limit < 1 || limit > mostRuns) {
    throw new WaybillError('invalid_argument', `a list has 1 to ${mostRuns} runs, not ${limit}`);
  }
  if (cursor !== null && !isId('run', cursor)) {
    throw new WaybillError('invalid_argument', 'this is no cursor of a list of runs', {
      hint: 'Give `nextCursor` of the page before, unchanged.',
    });
  }
  const from = { host: engine.host, now: engine.clock.now() };
  return engine.store.read(async (tx) => {
    let query = tx.db
      .selectFrom('run')
      .selectAll()
      .orderBy('id', 'desc')
      .limit(limit + 1);
    if (cursor !== null) query = query.where('id', '<', cursor);
    if (states.length > 0) query = query.where('state', 'in', states);
    if (workflow !== null) query = query.where('workflow', '=', workflow);
    if (task !== null) {
      // `tasks` is canonical JSON: a quoted id stands in it exactly when it is one of them. No engine's JSON functions.
      query = query.where(sql<boolean>`replace(tasks, ${canonicalJson(task)}, '') <> tasks`);
    }
    const rows = await query.execute();
    const page = rows.slice(0, limit);
    return {
      runs: await runStates(tx, page, from),
      nextCursor: rows.length > limit ? (page.at(-1)?.id ?? null) : null,
    };
  });
}
