import type { Token } from '../../../contract/api/tokens.ts';
import { WaybillError } from '../../../contract/errors.ts';
import type { Clock } from '../../../platform/clock/clock.ts';
import { commit } from '../../../platform/journal/commit.ts';
import type { Store } from '../../../platform/store/store.ts';
import { changeToken, lastUse } from './change-token.ts';
import { assertReposExist, assertRights, namedTwice } from './check-rights.ts';
import type { RepoGrant, Rights } from './may-use.ts';
import { recordRefusal } from './record-refusal.ts';
import { grantsText, readGrants, rightsJson, shownToken } from './token-row.ts';
import type { RoleChange } from './tokens.ts';

/** Changes what a token may do; see `Tokens.changeRoles`. What changes nothing is not recorded. */
export async function changeRoles(
  store: Store,
  clock: Clock,
  id: string,
  change: RoleChange,
  by: string,
): Promise<Token> {
  const record = { actor: by, action: 'role.changed', resource: id } as const;
  return recordRefusal(store, { ...record, at: clock.now() }, () =>
    changeToken(store, id, async (tx, row) => {
      const before = shownToken(row, await lastUse(tx, id));
      if (before.revokedAt !== null) throw fixed(`the token ${id} is revoked`, 'Make another one.');
      if (!row.actor.startsWith('token:')) {
        throw fixed(
          `the token ${id} speaks for a user of this machine, who may do everything`,
          'Revoke it, and the next start of the daemon makes another one.',
        );
      }
      const after = changed(before, change);
      const to = { role: after.role, grants: grantsText(after.repos) };
      if (to.role === row.role && to.grants === row.grants) return before;
      const given = (change.repos ?? []).flatMap(({ repo, role }) => (role === null ? [] : [repo]));
      await assertReposExist(tx, given);
      const details = { name: row.name, before: rightsJson(before), after: rightsJson(after) };
      await commit(tx, {
        change: async () => void (await tx.db.updateTable('api_token').set(to).where('id', '=', id).execute()),
        audit: [{ ...record, at: clock.now(), outcome: 'succeeded', details }],
      });
      return { ...before, role: after.role, repos: [...after.repos] };
    }),
  );
}

/** @throws WaybillError `invalid_input` when a repo is named twice, or nothing is left */
function changed(before: Rights, { role = before.role, repos = [] }: RoleChange): Rights {
  const named = new Set(repos.map(({ repo }) => repo));
  const kept = before.repos.filter(({ repo }) => !named.has(repo));
  const given: RepoGrant[] = repos.flatMap((each) =>
    each.role === null ? [] : [{ repo: each.repo, role: each.role }],
  );
  const after = { role, repos: readGrants(grantsText([...kept, ...given])) };
  assertRights(after, namedTwice(repos));
  return after;
}

function fixed(message: string, hint: string): WaybillError {
  return new WaybillError('invalid_transition', message, { hint });
}
