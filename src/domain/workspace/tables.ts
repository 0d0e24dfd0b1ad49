/** Rows of the workspace feature. Times are microseconds UTC. */
export interface ApiTokenTable {
  id: string;
  name: string;
  actor: string;
  role: 'reader' | 'writer' | 'admin';
  /** `sha256:<64 hex>` of the token; the token itself is nowhere. */
  digest: string;
  created_at: number;
  created_by: string;
  revoked_at: number | null;
  revoked_by: string | null;
}

declare module '../../platform/store/store.ts' {
  interface Database {
    api_token: ApiTokenTable;
  }
}
