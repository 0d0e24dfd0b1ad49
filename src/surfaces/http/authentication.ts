import type { IncomingHttpHeaders } from 'node:http';
import { mayActAs, type RouteRole } from '../../contract/api/role.ts';
import { WaybillError } from '../../contract/errors.ts';
import type { Caller, Tokens } from '../../domain/workspace/tokens/tokens.ts';

/** Longer than any token; what is longer is not even looked up. */
const longestToken = 512;

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

/** @throws WaybillError `forbidden` */
export function assertRole(caller: Caller, needed: RouteRole): void {
  if (mayActAs(caller.role, needed)) return;
  throw new WaybillError('forbidden', `this needs the role "${needed}"; the token has "${caller.role}"`, {
    hint: 'Ask for a token with a higher role.',
  });
}

/** The token of `Authorization: Bearer TOKEN` (RFC 6750, section 2.1); null when there is none. */
function bearerToken(header: string | undefined): string | null {
  if (header === undefined || header.length > longestToken) return null;
  return /^Bearer +([A-Za-z0-9\-._~+/]+=*)$/i.exec(header)?.[1] ?? null;
}
