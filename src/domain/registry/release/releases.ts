import type { CommitPort, SigningPort } from '../ports.ts';
import type { Registry } from '../registry.ts';

/** What making and verifying releases needs beside the registry. */
export interface Releases {
  readonly registry: Registry;
  readonly signing: SigningPort;
  readonly commits: CommitPort;
  /** The workspace's root: where its checkout is looked for. */
  readonly root: string;
  /** Of this program. */
  readonly version: string;
}
