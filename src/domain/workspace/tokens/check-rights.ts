import { mostGrants } from '../../../contract/api/tokens.ts';
import { WaybillError } from '../../../contract/errors.ts';
import type { ReadTx, WriteTx } from '../../../platform/store/store.ts';
import { repoNotFound } from '../../registry/repos/require-repo.ts';
import type { Rights } from './may-use.ts';

interface Problem {
  readonly path: string;
  readonly message: string;
}

/** @throws WaybillError `invalid_input` listing `problems`, and what is wrong with what a token is to be allowed */
export function assertRights({ role, repos }: Rights, problems: readonly Problem[]): void {
  const all = [...problems];
  if (role === null && repos.length === 0) {
    all.push({ path: 'role', message: 'is needed, unless there is a grant in a repo' });
  }
  if (repos.length > mostGrants) all.push({ path: 'repos', message: `would be more than ${mostGrants}` });
  const [first] = all;
  if (first === undefined) return;
  throw new WaybillError('invalid_input', `no token can be like this: ${first.path} ${first.message}`, {
    hint: 'A token has a role in the workspace, or one role in each of some repos, or both.',
    details: { problems: all.map(({ path, message }) => ({ path, message })) },
  });
}

/** Repos that are named again. */
export function namedTwice(repos: readonly { readonly repo: string }[]): Problem[] {
  return repos.flatMap(({ repo }, index) => {
    const first = repos.findIndex((each) => each.repo === repo);
    return first === index ? [] : [{ path: `repos[${index}].repo`, message: `is the same as repos[${first}].repo` }];
  });
}

/** @throws WaybillError `repo_not_found` for the first of these that does not exist */
export async function assertReposExist(tx: ReadTx | WriteTx, keys: readonly string[]): Promise<void> {
  if (keys.length === 0) return;
  const rows = await tx.db.selectFrom('repo').select('key').where('key', 'in', keys).execute();
  const missing = keys.find((key) => !rows.some((row) => row.key === key));
  if (missing !== undefined) throw repoNotFound(missing);
}
