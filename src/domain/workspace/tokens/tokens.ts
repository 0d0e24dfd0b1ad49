import type { Role } from '../../../contract/api/role.ts';
import type { MadeToken, Token } from '../../../contract/api/tokens.ts';

/** Who a token speaks for. */
export interface Caller {
  readonly actor: string;
  readonly role: Role;
}

/** The tokens of a store: kept as digests, so that reading the store gives nobody a token. */
export interface Tokens {
  /** Null for a token that is unknown or revoked; takes the same time whichever it is. */
  authenticate(token: string): Promise<Caller | null>;
  /** @throws WaybillError `token_exists` when a valid token has this name */
  make(wanted: { readonly name: string; readonly role: Role }, by: string): Promise<MadeToken>;
  list(): Promise<readonly Token[]>;
  /** @throws WaybillError `token_not_found` */
  revoke(id: string, by: string): Promise<Token>;
}
