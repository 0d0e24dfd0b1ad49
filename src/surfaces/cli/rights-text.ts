import { InvalidArgumentError } from 'commander';
import { type RepoRole, repoRoles, type WorkspaceRole, workspaceRoles } from '../../contract/api/role.ts';
import { isId } from '../../contract/ids.ts';
import type { Rights } from '../../domain/workspace/tokens/may-use.ts';

/** `runner, local=publish`: what a token may do, as it is shown and typed. */
export function rightsText({ role, repos }: Rights): string {
  return [...(role === null ? [] : [role]), ...repos.map((grant) => `${grant.repo}=${grant.role}`)].join(', ');
}

export function workspaceRole(text: string): WorkspaceRole {
  const found = workspaceRoles.find((each) => each === text);
  if (found !== undefined) return found;
  throw new InvalidArgumentError(`Roles: ${workspaceRoles.join(', ')}.`);
}

/** `KEY=ROLE` */
export function repoGrant(text: string): { readonly repo: string; readonly role: RepoRole } {
  const [repo, typed, ...more] = text.split('=');
  const role = repoRoles.find((each) => each === typed);
  if (isId('repo', repo) && role !== undefined && more.length === 0) return { repo, role };
  throw new InvalidArgumentError(`It must be REPO=ROLE, as local=publish. Roles: ${repoRoles.join(', ')}.`);
}

const units = { m: 60, h: 3_600, d: 86_400 } as const;

/** `30d`, `12h`, `45m` from now, or an RFC 3339 time in UTC; as such a time. */
export function expiry(text: string): string {
  const [, count, unit] = /^([1-9]\d{0,5})([mhd])$/.exec(text) ?? [];
  if (count !== undefined && (unit === 'm' || unit === 'h' || unit === 'd')) {
    return new Date(Date.now() + Number(count) * units[unit] * 1_000).toISOString();
  }
  const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?Z$/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(time)) return new Date(time).toISOString();
  throw new InvalidArgumentError(
    'It must be a time from now, as 45m, 12h or 30d, or one in UTC, as 2026-12-31T00:00:00Z.',
  );
}
