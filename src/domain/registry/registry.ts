import type { Configuration } from '../../contract/configuration.ts';
import type { Digest, RunId, VersionId } from '../../contract/ids.ts';
import type { BlobStore } from '../../platform/blobs/blob-store.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import type { Store } from '../../platform/store/store.ts';
import type { Gate } from '../gates/gate.ts';
import type { HostPort } from '../runs/ports.ts';
import type { Coordinate, Entry, PackageType } from './package-types/package-type.ts';

/** What a gate of the registry is asked about: a version that is about to be published. */
export interface VersionSubject {
  readonly versionId: VersionId;
  readonly repo: string;
  readonly coordinate: Coordinate;
  /** Of the content, as it would be published. */
  readonly digest: Digest;
  /** The run it was made by, when it was. */
  readonly run: RunId | null;
  readonly entries: readonly Entry[];
}

/** All the registry needs; main.ts builds it, tests build their own. */
export interface Registry {
  readonly store: Store;
  readonly clock: Clock;
  readonly host: HostPort;
  readonly blobs: BlobStore;
  readonly settings: Configuration['registry'];
  /** By type. */
  readonly types: ReadonlyMap<string, PackageType>;
  /** All there are, by id; `settings.gates` says which are required. */
  readonly gates: ReadonlyMap<string, Gate<VersionSubject>>;
}
