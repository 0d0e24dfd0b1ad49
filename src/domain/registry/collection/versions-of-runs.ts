import type { RunId } from '../../../contract/ids.ts';
import type { Store } from '../../../platform/store/store.ts';
import type { RunBlocker } from '../../runs/retention/run-blocker.ts';

/** Runs asked for in one query. */
const most = 500;

/**
 * Keeps every run from being removed that a draft, a published or a tombstoned version was made by: without it the way
 * back from the version ends. The tables refuse its removal too, whatever happens between this look and the removal.
 */
export function versionsOfRuns(store: Store): RunBlocker {
  return {
    name: 'versions',
    blocks: async (runs) => {
      const needed = new Map<RunId, string>();
      for (let at = 0; at < runs.length; at += most) {
        const asked = runs.slice(at, at + most);
        const rows = await store.read((tx) =>
          tx.db
            .selectFrom('version')
            .innerJoin('package', 'package.id', 'version.package')
            .select(['version.run', 'version.state', 'version.version', 'package.repo', 'package.name'])
            .where('version.run', 'in', asked)
            .orderBy('version.created_at')
            .orderBy('version.id')
            .execute(),
        );
        for (const run of asked) {
          const made = rows.filter((row) => row.run === run);
          const [first] = made;
          if (first === undefined) continue;
          const more = made.length === 1 ? '' : `, and ${made.length - 1} more`;
          needed.set(
            run,
            `${stateWords[first.state]} ${first.repo}/${first.name}@${first.version} was made by it${more}`,
          );
        }
      }
      return needed;
    },
  };
}

const stateWords = { draft: 'the draft', published: 'version', tombstoned: 'the tombstoned version' } as const;
