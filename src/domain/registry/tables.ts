/** Rows of the registry feature. Times are microseconds UTC, sizes bytes, digests `sha256:<64 hex>`. */
export interface RepoTable {
  key: string;
  description: string;
  created_at: number;
  created_by: string;
}

/** Which bytes may be read in which repo. */
export interface RepoBlobTable {
  repo: string;
  digest: string;
  size: number;
  added_at: number;
  added_by: string;
}

export interface PackageTable {
  id: string;
  repo: string;
  type: string;
  name: string;
  /** How many events it has told the outbox. */
  events: number;
  created_at: number;
  created_by: string;
}

export interface VersionTable {
  id: string;
  package: string;
  repo: string;
  version: string;
  state: 'draft' | 'published' | 'tombstoned';
  digest: string | null;
  run: string | null;
  gates: string | null;
  event_seq: number | null;
  created_at: number;
  created_by: string;
  expires_at: number | null;
  published_at: number | null;
  published_by: string | null;
  tombstoned_at: number | null;
  tombstoned_by: string | null;
  tombstone_reason: string | null;
}

export interface VersionEntryTable {
  version: string;
  path: string;
  /** `path` as file systems that do not tell case apart see it: see `foldPath`. */
  folded: string;
  digest: string;
  size: number;
  media_type: string | null;
}

export interface VersionManifestTable {
  version: string;
  media_type: string;
  body: Uint8Array;
  digest: string;
  size: number;
}

export interface VersionAttestationTable {
  version: string;
  /** A DSSE envelope in JSON. */
  envelope: string;
  key_id: string;
  digest: string;
}

export interface TagTable {
  package: string;
  tag: string;
  version: string;
  updated_at: number;
  updated_by: string;
}

declare module '../../platform/store/store.ts' {
  interface Database {
    repo: RepoTable;
    repo_blob: RepoBlobTable;
    package: PackageTable;
    version: VersionTable;
    version_entry: VersionEntryTable;
    version_manifest: VersionManifestTable;
    version_attestation: VersionAttestationTable;
    tag: TagTable;
  }
}
