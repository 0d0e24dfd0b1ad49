/**
 * What a token may do in the whole workspace; at most one of them. A `runner` submits, follows and cancels runs and
 * looks at tools, an `operator` also tends the daemon, an `auditor` reads everything and changes nothing, an `admin`
 * may do all.
 */
export const workspaceRoles = ['runner', 'operator', 'auditor', 'admin'] as const;
export type WorkspaceRole = (typeof workspaceRoles)[number];

/** What a token may do in one repo; each may do all that those left of it may. */
export const repoRoles = ['read', 'write', 'publish', 'admin'] as const;
export type RepoRole = (typeof repoRoles)[number];

/** What a route asks for; `repo.*` is asked for in the repo that the path names as `repoKey`, `any` is any token. */
export const routeRoles = [
  'any',
  ...workspaceRoles,
  'repo.read',
  'repo.write',
  'repo.publish',
  'repo.admin',
] as const satisfies readonly ('any' | WorkspaceRole | `repo.${RepoRole}`)[];
export type RouteRole = (typeof routeRoles)[number];
