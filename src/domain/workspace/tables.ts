/** Rows of the workspace feature. Times are microseconds UTC. */
export interface ApiTokenTable {
  id: string;
  name: string;
  actor: string;
  role: 'runner' | 'operator' | 'auditor' | 'admin' | null;
  /** Canonical JSON of `RepoGrant[]`, by repo: see `tokens/token-row.ts`. */
  grants: string;
  /** `sha256:<64 hex>` of the token; the token itself is nowhere. */
  digest: string;
  created_at: number;
  created_by: string;
  expires_at: number | null;
  revoked_at: number | null;
  revoked_by: string | null;
}

export interface ApiTokenUseTable {
  token: string;
  used_at: number;
}

declare module '../../platform/store/store.ts' {
  interface Database {
    api_token: ApiTokenTable;
    api_token_use: ApiTokenUseTable;
  }
}
