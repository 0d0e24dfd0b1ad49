/** What a token may do; each may do all that those left of it may. */
export const roles = ['reader', 'writer', 'admin'] as const;
export type Role = (typeof roles)[number];

/** What a route of the registry asks for in the repo its path names. */
export const repoRoles = ['repo.read', 'repo.write', 'repo.publish', 'repo.admin'] as const;
/** What other routes ask for. */
export const workspaceRoles = ['any', 'runner', 'operator', 'auditor'] as const;
export const routeRoles = [...roles, ...repoRoles, ...workspaceRoles] as const;
export type RouteRole = (typeof routeRoles)[number];

const least = {
  reader: 'reader',
  writer: 'writer',
  admin: 'admin',
  any: 'reader',
  runner: 'writer',
  operator: 'writer',
  auditor: 'reader',
  'repo.read': 'reader',
  'repo.write': 'writer',
  'repo.publish': 'writer',
  'repo.admin': 'admin',
} as const satisfies Record<RouteRole, Role>;

export function mayActAs(role: Role, needed: RouteRole): boolean {
  return roles.indexOf(role) >= roles.indexOf(least[needed]);
}
