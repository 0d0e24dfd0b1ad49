import { z } from 'zod';
import { parseId, type VersionId } from '../../../contract/ids.ts';
import type { Micros } from '../../../platform/clock/clock.ts';
import { checkLimit, readCursor, writeCursor } from '../list-cursor.ts';
import type { Coordinate } from '../package-types/package-type.ts';
import type { Registry } from '../registry.ts';
import { requireRepo } from '../repos/require-repo.ts';

/** A version that a rule keeps from being downloaded. */
export interface Quarantined {
  readonly versionId: VersionId;
  readonly coordinate: Coordinate;
  readonly ruleId: string;
  /** Of the rule. */
  readonly reason: string;
  /** Why the rule hits this version. */
  readonly why: string;
  readonly since: Micros;
  /** Null while it is held back. */
  readonly releasedAt: Micros | null;
}

export interface QuarantineFilter {
  readonly repo: string;
  /** What was released too. */
  readonly released: boolean;
  /** 1 to 200. */
  readonly limit: number;
  readonly cursor: string | null;
}

const place = z.tuple([z.int(), z.string(), z.string()]);

/**
 * What rules hold back in a repo, oldest first.
 * @throws WaybillError `repo_not_found`, `invalid_argument` for a limit or cursor that is none
 */
export async function listQuarantine(
  { store }: Pick<Registry, 'store'>,
  { repo, released, limit, cursor }: QuarantineFilter,
): Promise<{ readonly quarantine: readonly Quarantined[]; readonly nextCursor: string | null }> {
  checkLimit(limit);
  const after = cursor === null ? null : readCursor('quarantine', place, cursor);
  return await store.read(async (tx) => {
    await requireRepo(tx, repo);
    let query = tx.db
      .selectFrom('quarantine as held')
      .innerJoin('version', 'version.id', 'held.version')
      .innerJoin('package', 'package.id', 'version.package')
      .innerJoin('policy_rule as rule', 'rule.id', 'held.rule')
      .select(['held.version as id', 'held.rule', 'held.reason as why', 'held.at', 'held.released_at'])
      .select(['rule.reason', 'version.version', 'package.type', 'package.name'])
      .where('held.repo', '=', repo)
      .orderBy('held.at')
      .orderBy('held.version')
      .orderBy('held.rule')
      .limit(limit + 1);
    if (!released) query = query.where('held.released_at', 'is', null);
    if (after !== null) {
      const [at, version, rule] = after;
      query = query.where(({ eb, refTuple, tuple }) =>
        eb(refTuple('held.at', 'held.version', 'held.rule'), '>', tuple(at, version, rule)),
      );
    }
    const rows = await query.execute();
    const page = rows.slice(0, limit);
    const last = rows.length > limit ? page.at(-1) : undefined;
    return {
      quarantine: page.map(({ id, rule, reason, why, at, released_at, type, name, version }) => ({
        versionId: parseId('version', id),
        coordinate: { type, name, version },
        ruleId: rule,
        reason,
        why,
        since: at,
        releasedAt: released_at,
      })),
      nextCursor: last === undefined ? null : writeCursor('quarantine', [last.at, last.id, last.rule]),
    };
  });
}
