/** Rows of uploads. Times are microseconds UTC, sizes bytes. */
export interface UploadTable {
  id: string;
  repo: string;
  digest: string | null;
  size: number | null;
  made_at: number;
  made_by: string;
}

declare module '../../../platform/store/store.ts' {
  interface Database {
    upload: UploadTable;
  }
}
