import type { Digest, RunId } from '../../../contract/ids.ts';

/** What names a version: the type decides what a name and a version may look like. */
export interface Coordinate {
  readonly type: string;
  readonly name: string;
  readonly version: string;
}

/** A file of a version: its path, and the bytes under it. */
export interface Entry {
  readonly path: string;
  readonly digest: Digest;
  readonly size: number;
  readonly mediaType: string | null;
}

export interface ManifestBytes {
  readonly mediaType: string;
  /** As they came. */
  readonly body: Uint8Array;
}

/** One thing that is wrong with a manifest, at a JSON pointer (RFC 6901); `''` is the whole. */
export interface ManifestProblem {
  readonly pointer: string;
  readonly message: string;
  /** The manifest may be right, and the entries not there yet: a draft may have it, a published version not. */
  readonly pending?: true;
}

/** What a manifest is held against. */
export interface ManifestSubject {
  readonly coordinate: Coordinate;
  readonly entries: readonly Entry[];
  /** The run the version was made by, when it was; left out when that is not known. */
  readonly run?: RunId | null;
}

/** The rules of one kind of package; plugins add more. All functions are pure and list every problem, not only the first. */
export interface PackageType {
  readonly type: string;
  /** What a manifest's `Content-Type` may be; the first is what it is when nothing was said. */
  readonly mediaTypes: readonly [string, ...string[]];
  nameProblems(name: string): readonly string[];
  versionProblems(version: string): readonly string[];
  /** Checks a manifest by itself, against the coordinate, and against the entries. Never throws, whatever the bytes are. */
  manifestProblems(manifest: ManifestBytes, about: ManifestSubject): readonly ManifestProblem[];
}
