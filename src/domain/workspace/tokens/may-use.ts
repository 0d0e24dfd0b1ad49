import { type RepoRole, type RouteRole, repoRoles, type WorkspaceRole } from '../../../contract/api/role.ts';

/** What somebody may do: in the workspace, and in single repos. */
export interface Rights {
  readonly role: WorkspaceRole | null;
  /** At most one a repo. */
  readonly repos: readonly RepoGrant[];
}

export interface RepoGrant {
  readonly repo: string;
  readonly role: RepoRole;
}

/** A route that is asked for. */
export interface AskedRoute {
  readonly role: RouteRole;
  readonly method: string;
  /** The repo the path names; null when it names none. */
  readonly repo: string | null;
}

/** `hidden`: not even whether that repo exists is for this caller to know. */
export type MayUse = 'yes' | 'no' | 'hidden';

/**
 * Whether somebody may use a route. Reading is what GET and HEAD do: an auditor may do so everywhere, and by that role
 * nothing else. A grant opens its own repo only.
 */
export function mayUse({ role, repos }: Rights, asked: AskedRoute): MayUse {
  const reads = asked.method === 'GET' || asked.method === 'HEAD';
  if (role === 'admin' || (role === 'auditor' && reads)) return 'yes';
  switch (asked.role) {
    case 'any':
      return role === 'auditor' && repos.length === 0 ? 'no' : 'yes';
    case 'runner':
      return role === 'runner' || role === 'operator' ? 'yes' : 'no';
    case 'operator':
      return role === 'operator' ? 'yes' : 'no';
    case 'auditor':
    case 'admin':
      return 'no';
    case 'repo.read':
      return inRepo('read');
    case 'repo.write':
      return inRepo('write');
    case 'repo.publish':
      return inRepo('publish');
    case 'repo.admin':
      return inRepo('admin');
    default:
      return asked.role satisfies never;
  }

  function inRepo(least: RepoRole): MayUse {
    const grant = repos.find(({ repo }) => repo === asked.repo);
    // An auditor reads every repo, so there is nothing to hide from one.
    if (grant === undefined) return role === 'auditor' ? 'no' : 'hidden';
    return repoRoles.indexOf(grant.role) >= repoRoles.indexOf(least) ? 'yes' : 'no';
  }
}

/** The repos somebody may read, by key. */
export function readableRepos({ role, repos }: Rights): 'all' | ReadonlySet<string> {
  return role === 'admin' || role === 'auditor' ? 'all' : new Set(repos.map(({ repo }) => repo));
}
