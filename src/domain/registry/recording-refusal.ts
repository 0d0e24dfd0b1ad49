import type { AuditAction } from '../../contract/audit.ts';
import { type ErrorCode, errorCodes, WaybillError } from '../../contract/errors.ts';
import type { JsonObject } from '../../contract/json.ts';
import { auditStatement } from '../../platform/journal/audit.ts';
import type { Registry } from './registry.ts';

/** A privileged act, as its audit record names it. */
export interface Act {
  readonly action: AuditAction;
  /** What a refusal and a failure of it are called, where they have names of their own. */
  readonly otherwise?: { readonly refused: AuditAction; readonly failed: AuditAction };
  readonly resource: string;
  readonly by: string;
  readonly details?: JsonObject;
}

/** What was not understood, or is about nothing, was no act yet. */
const noAct: ReadonlySet<ErrorCode> = new Set([
  'invalid_input',
  'invalid_id',
  'repo_not_found',
  'package_not_found',
  'version_not_found',
  'run_not_found',
  'unsupported_media_type',
  'body_too_large',
]);

/**
 * Does `work`, which records its own success. When the state refuses it, or it fails, that leaves an audit record too: one
 * that is committed by itself, before whoever asked is answered.
 * @throws what `work` threw, or WaybillError `store_*` with that as its cause when the record could not be kept
 */
export async function recordingRefusal<T>(
  registry: Pick<Registry, 'store' | 'clock'>,
  act: Act,
  work: () => Promise<T>,
): Promise<T> {
  try {
    const done = await work();
    registry.store.hints.announce('audit');
    return done;
  } catch (error) {
    if (!noAct.has(codeOf(error))) await recordRefusal(registry, act, error);
    throw error;
  }
}

/** The record of an act that ended in an error. @throws WaybillError `store_*` with that error as its cause */
export async function recordRefusal(
  { store, clock }: Pick<Registry, 'store' | 'clock'>,
  { action, otherwise, resource, by, details }: Act,
  error: unknown,
): Promise<void> {
  const reason = codeOf(error);
  const outcome = errorCodes[reason] === 3 ? 'failed' : 'refused';
  const named = otherwise?.[outcome] ?? action;
  const record = { at: clock.now(), actor: by, action: named, resource, outcome, reason } as const;
  try {
    await store.submit({ statements: [auditStatement([details === undefined ? record : { ...record, details }])] });
  } catch (lost) {
    if (!(lost instanceof WaybillError)) throw lost;
    const { code, message, hint } = lost;
    throw new WaybillError(code, `${action} ended with ${reason}, and its record could not be kept: ${message}`, {
      ...(hint === undefined ? {} : { hint }),
      cause: error,
    });
  }
  store.hints.announce('audit');
}

function codeOf(error: unknown): ErrorCode {
  return error instanceof WaybillError ? error.code : 'internal';
}
