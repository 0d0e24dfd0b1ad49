/** What a token may do; each may do all that those left of it may. */
export const roles = ['reader', 'writer', 'admin'] as const;
export type Role = (typeof roles)[number];

export function mayActAs(role: Role, needed: Role): boolean {
  return roles.indexOf(role) >= roles.indexOf(needed);
}
