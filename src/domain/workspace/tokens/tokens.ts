import type { RepoRole, WorkspaceRole } from '../../../contract/api/role.ts';
import type { MadeToken, Token } from '../../../contract/api/tokens.ts';
import type { RepoGrant, Rights } from './may-use.ts';

/** Who a token speaks for, and what it may do. */
export interface Caller extends Rights {
  readonly actor: string;
}

/** A token that is asked for; it has a role, or grants, or both. */
export interface WantedToken {
  readonly name: string;
  /** None unless given. */
  readonly role?: WorkspaceRole | null;
  readonly repos?: readonly RepoGrant[];
  /** RFC 3339; never unless given. */
  readonly expiresAt?: string | null;
}

/** What is not named stays as it is; null takes away. */
export interface RoleChange {
  readonly role?: WorkspaceRole | null | undefined;
  readonly repos?: readonly { readonly repo: string; readonly role: RepoRole | null }[];
}

/** The tokens of a store: kept as digests, so that reading the store gives nobody a token. */
export interface Tokens {
  /** Null for a token that is unknown, expired or revoked; takes the same time whichever it is. */
  authenticate(token: string): Promise<Caller | null>;
  /**
   * @throws WaybillError `token_exists` when a token that is not revoked has this name, `repo_not_found`,
   * `invalid_input` for a token that may do nothing, that names a repo twice, or that has expired already
   */
  make(wanted: WantedToken, by: string): Promise<MadeToken>;
  list(): Promise<readonly Token[]>;
  /**
   * Effective from the next request on.
   * @throws WaybillError `token_not_found`, `repo_not_found`, `invalid_input` as `make`, `invalid_transition` for a
   * token that is revoked, or that speaks for this machine's user
   */
  changeRoles(id: string, change: RoleChange, by: string): Promise<Token>;
  /** @throws WaybillError `token_not_found` */
  revoke(id: string, by: string): Promise<Token>;
  /** Writes when tokens were last used, as far as it is not written yet. */
  close(): Promise<void>;
}
