import type { IncomingHttpHeaders } from 'node:http';
import { z } from 'zod';
import type { RouteRole } from '../../contract/api/role.ts';
import { WaybillError } from '../../contract/errors.ts';
import { repoNotFound } from '../../domain/registry/repos/require-repo.ts';
import { type AskedRoute, mayUse } from '../../domain/workspace/tokens/may-use.ts';
import type { Caller, Tokens } from '../../domain/workspace/tokens/tokens.ts';

/** Longer than any token; what is longer is not even looked up. */
const longestToken = 512;
const repoParams = z.object({ repoKey: z.string() });

/**
 * Who asks. Each request asks the store anew, so a token that was revoked, by whichever process, is worth nothing from
 * the next request on.
 * @throws WaybillError `unauthorized`
 */
export async function authenticate(
  tokens: Pick<Tokens, 'authenticate'>,
  headers: Pick<IncomingHttpHeaders, 'authorization'>,
): Promise<Caller> {
  const token = bearerToken(headers.authorization);
  const caller = token === null ? null : await tokens.authenticate(token);
  if (caller !== null) return caller;
  throw new WaybillError('unauthorized', token === null ? 'a token is needed' : 'this token is not valid', {
    hint: 'Send `Authorization: Bearer TOKEN`; `waybill serve` says in which file the token is.',
  });
}

/**
 * Refuses whoever may not use a route. A repo that is nobody's business is answered as one that does not exist, and
 * without looking whether it does; that authority was refused stands in the cause, for the audit.
 * @throws WaybillError `forbidden`, `repo_not_found`
 */
export function assertMayUse(caller: Caller, asked: AskedRoute): void {
  const answer = mayUse(caller, asked);
  if (answer === 'yes') return;
  const forbidden = new WaybillError(
    'forbidden',
    `this needs ${neededText(asked)}; the token has ${hadText(caller, asked)}`,
    {
      hint: 'Ask an admin for it: `waybill tokens grant` changes what a token may do.',
      ...(asked.repo !== null && { details: { repo: asked.repo } }),
    },
  );
  if (answer === 'no') throw forbidden;
  const { code, message, hint, details } = repoNotFound(asked.repo ?? '');
  throw new WaybillError(code, message, {
    ...(hint !== undefined && { hint }),
    ...(details !== undefined && { details }),
    cause: forbidden,
  });
}

/**
 * The repo a route is about, as its path names it; null for routes that are about none.
 * @throws WaybillError `internal` for a route that asks for a role in a repo and names none: nobody is let in by chance
 */
export function repoNamed(role: RouteRole, params: unknown): string | null {
  if (!role.startsWith('repo.')) return null;
  const named = repoParams.safeParse(params);
  if (named.success) return named.data.repoKey;
  throw new WaybillError('internal', 'a route asks for a role in a repo that its path does not name');
}

function neededText({ role, repo }: AskedRoute): string {
  return repo === null ? `the role "${role}"` : `"${role.replace('repo.', '')}" in the repo "${repo}"`;
}

function hadText({ role, repos }: Caller, { repo }: AskedRoute): string {
  const grant = repos.find((each) => each.repo === repo);
  if (grant !== undefined) return `"${grant.role}" there`;
  return role === null ? 'no role in the workspace' : `"${role}"`;
}

/** The token of `Authorization: Bearer TOKEN` (RFC 6750, section 2.1); null when there is none. */
function bearerToken(header: string | undefined): string | null {
  if (header === undefined || header.length > longestToken) return null;
  return /^Bearer +([A-Za-z0-9\-._~+/]+=*)$/i.exec(header)?.[1] ?? null;
}
