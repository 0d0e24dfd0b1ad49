import type { Load } from './measure.mjs';

export interface RegistryLoad extends Load {
  /** Of a large file. */
  readonly bytes: number;
  /** Large files one after the other; 0 for none, also not at once. */
  readonly transfers: number;
  /** Large files at once; 0 for none. */
  readonly together: number;
}

/** A registry in a process of its own. `Place` is where a large file is, once it is uploaded. */
export interface RegistryDriver<Place = string> {
  readonly pid: number;
  /** Its client must hold a large file in memory several times: large files only one by one. */
  readonly oneByOne?: boolean;
  /** Resolves when a package of one file is published. */
  publish?(name: string, version: string, file: Buffer): Promise<void>;
  /** The file of a published package. */
  fetch?(name: string, version: string): Promise<Buffer>;
  /** How many versions are published, by what is stored. */
  count?(): number | Promise<number>;
  /** Prepares the upload of a large file; what it returns does it. */
  upload?(name: string, parts: readonly Buffer[], sha256: string): Promise<() => Promise<Place>>;
  /** @returns the bytes that came */
  download?(place: Place): Promise<number>;
  whole?(place: Place): Promise<Buffer>;
}

export interface Publishes {
  /** All of them, the ones while it warmed up included. */
  readonly published: number;
  /** A second, each a package of its own, and each a new version of one of 64 packages. */
  readonly freshPerSecond: number;
  readonly versionsPerSecond: number;
  /** Processor time of the server for one publish, on all its threads, milliseconds. */
  readonly cpuMs: number;
  readonly ones: number;
  /** Milliseconds of one publish alone. */
  readonly p50: number;
  readonly p99: number;
}

/** MiB a second, and the most memory meanwhile, in MiB. */
export interface Transfer {
  readonly up: number;
  readonly down: number;
  readonly peak: number;
}

export interface Transfers {
  /** Resident memory, MiB, after one large file went up and down, and at the end. */
  readonly before: number;
  readonly after: number;
  readonly alone: Transfer;
  readonly many?: Transfer;
}

export interface MeasuredRegistry {
  readonly publishes?: Publishes;
  readonly transfers?: Transfers;
}

export function readRegistryLoad(): RegistryLoad;
export function measureRegistry<Place>(load: RegistryLoad, driver: RegistryDriver<Place>): Promise<MeasuredRegistry>;
