import { httpStatus } from '../../contract/api/problem.ts';
import { type ErrorCode, WaybillError } from '../../contract/errors.ts';
import type { JsonObject } from '../../contract/json.ts';
import { auditStatement } from '../../platform/journal/audit.ts';
import type { HttpParts } from './http-parts.ts';
import type { Measurements } from './measurements.ts';

/** A request that was answered with a problem. */
export interface Refusal {
  readonly error: WaybillError;
  /** Null while nobody has shown a token. */
  readonly actor: string | null;
  /** `POST /v1/runs`, as declared. */
  readonly route: string;
}

/** Each caller may leave this many records at once, and then so many a second; those without a token share one. */
const burst = 100;
const perSecond = 5;
const summaryEveryMs = 60_000;

/** Refusals somebody must be able to answer for: who asked for what they may not have. */
const audited: ReadonlySet<ErrorCode> = new Set([
  'unauthorized',
  'forbidden',
  'host_refused',
  'origin_refused',
  'tool_not_permitted',
]);

/**
 * Keeps what belongs to an answer that is a problem: an envelope, and for refused authority an audit record, both
 * before the answer is sent. A caller who floods us is counted, not recorded, once its allowance is used up; the count
 * follows as one audit record a minute. So the store grows by a bounded amount whatever is sent.
 */
export class Refusals {
  readonly #parts: Pick<HttpParts, 'errors' | 'engine'>;
  readonly #measurements: Measurements;
  readonly #allowances = new Map<string, { left: number; at: number }>();
  readonly #uncounted = new Map<string, number>();
  #summary: NodeJS.Timeout | undefined;

  constructor(parts: Pick<HttpParts, 'errors' | 'engine'>, measurements: Measurements) {
    this.#parts = parts;
    this.#measurements = measurements;
  }

  /** The id of what was kept; null when nothing was. Never rejects: a refusal stays one, whatever else fails. */
  async record(refusal: Refusal): Promise<string | null> {
    const actor = refusal.actor ?? 'anonymous';
    if (!this.#allowed(actor)) {
      this.#measurements.countUnrecorded();
      this.#count(actor);
      return null;
    }
    const { code, repo } = authorityOf(refusal.error);
    if (audited.has(code)) await this.#audit(actor, refusal.route, code, repo === null ? {} : { repo });
    const { errors } = this.#parts;
    const context = { status: httpStatus(refusal.error.code), route: refusal.route };
    // A failure is described by what was thrown first, not by the words we found for the caller.
    const thrown = refusal.error.code === 'internal' ? (refusal.error.cause ?? refusal.error) : refusal.error;
    const { errorId, kept } = await errors.capture(thrown, {
      layer: 'L2',
      component: 'api',
      actor: refusal.actor,
      context,
    });
    return kept === 'lost' ? null : errorId;
  }

  /** Writes what was only counted so far. */
  async flush(): Promise<void> {
    clearTimeout(this.#summary);
    this.#summary = undefined;
    const counted = [...this.#uncounted];
    this.#uncounted.clear();
    for (const [actor, count] of counted) await this.#audit(actor, 'several', 'too_many', { count });
  }

  async #audit(actor: string, resource: string, reason: string, details: JsonObject): Promise<void> {
    const { engine, errors } = this.#parts;
    const action = 'request.refused' as const;
    const record = { at: engine.clock.now(), actor, action, resource, reason, details };
    try {
      await engine.store.submit({ statements: [auditStatement([{ ...record, outcome: 'refused' }])] });
    } catch (error) {
      await errors.capture(error, { layer: 'L2', component: 'api', actor });
    }
  }

  #allowed(actor: string): boolean {
    const now = performance.now();
    const allowance = this.#allowances.get(actor) ?? { left: burst, at: now };
    const left = Math.min(burst, allowance.left + ((now - allowance.at) / 1000) * perSecond);
    this.#allowances.set(actor, { left: left >= 1 ? left - 1 : left, at: now });
    return left >= 1;
  }

  #count(actor: string): void {
    this.#uncounted.set(actor, (this.#uncounted.get(actor) ?? 0) + 1);
    this.#summary ??= setTimeout(() => void this.flush(), summaryEveryMs).unref();
  }
}

/** What was refused: a repo that is hidden from whoever asks is answered as not found, and was forbidden. */
function authorityOf(error: WaybillError): { readonly code: ErrorCode; readonly repo: string | null } {
  const { cause } = error;
  const { code, details } = cause instanceof WaybillError && cause.code === 'forbidden' ? cause : error;
  const repo = code === 'forbidden' && typeof details?.repo === 'string' ? details.repo : null;
  return { code, repo };
}
