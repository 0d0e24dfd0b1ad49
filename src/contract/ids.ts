import { WaybillError } from './errors.ts';

/**
 * The shapes of all ids, in one place. Ids are opaque to other programs; each is a branded string, so
 * that one kind cannot be passed where another is meant, and no path can be built from an unchecked one.
 */
export const idShapes = {
  run: /^run-\d{8}-\d{6}-[0-9a-f]{8}$/,
  task: /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,128}$/,
  event: /^run-\d{8}-\d{6}-[0-9a-f]{8}-[1-9]\d{0,15}$/,
  envelope: /^err_[0-9a-f]{32}$/,
  incident: /^inc_[0-9a-f]{16}$/,
  decision: /^dec_[0-9a-f]{32}$/,
  gateRun: /^gr_[0-9a-f]{32}$/,
  digest: /^sha256:[0-9a-f]{64}$/,
  idempotencyKey: /^ik:[0-9a-f]{64}$/,
  snapshot: /^snap-[0-9a-f]{12}$/,
  package: /^pkg_[0-9a-f]{16}$/,
  version: /^ver_[0-9a-f]{16}$/,
  upload: /^upl_[0-9a-f]{32}$/,
  webhook: /^wh_[0-9a-f]{16}$/,
  policyRule: /^rule_[0-9a-f]{16}$/,
  /** A repo's key: what stands in its address. */
  repo: /^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/,
  /** Names of agents, workflows and steps: what a person types and a folder may be named after. */
  name: /^[A-Za-z][A-Za-z0-9._-]{0,127}$/,
  traceId: /^(?!0{32})[0-9a-f]{32}$/,
  spanId: /^(?!0{16})[0-9a-f]{16}$/,
} as const satisfies Record<string, RegExp>;

export type IdKind = keyof typeof idShapes;
declare const idKind: unique symbol;
export type Id<K extends IdKind> = string & { readonly [idKind]: K };

export type RunId = Id<'run'>;
export type TaskId = Id<'task'>;
export type Digest = Id<'digest'>;
export type IdempotencyKey = Id<'idempotencyKey'>;
export type SnapshotId = Id<'snapshot'>;
export type PackageId = Id<'package'>;
export type VersionId = Id<'version'>;
export type RepoKey = Id<'repo'>;

/** True when `text` has the shape of an id of this kind. */
export function isId<K extends IdKind>(kind: K, text: unknown): text is Id<K> {
  return typeof text === 'string' && idShapes[kind].test(text);
}

/**
 * Checks an id from outside.
 * @throws WaybillError `invalid_id` with the shape that was expected.
 */
export function parseId<K extends IdKind>(kind: K, text: unknown): Id<K> {
  if (isId(kind, text)) return text;
  throw new WaybillError('invalid_id', `not a ${kind} id: ${JSON.stringify(text)?.slice(0, 160)}`, {
    hint: `A ${kind} id matches ${idShapes[kind].source}.`,
  });
}
