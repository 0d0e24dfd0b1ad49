import { WaybillError } from '../../contract/errors.ts';
import type { JsonObject } from '../../contract/json.ts';
import { classify, layerOf } from './classify.ts';
import { createEmitters, type EmitterFor, type EmitterSettings, type EnvelopeDraft } from './emitter.ts';
import type { ErrorEnvelope } from './envelope.ts';
import type { ClassOf, ErrorClass, Layer } from './error-class.ts';
import type { ErrorStore } from './error-store.ts';
import { messageOf } from './exception-chain.ts';
import { isObject, readProperty } from './read-property.ts';
import { type ReplayReport, Spool } from './spool.ts';

/** Who caught an error, and what is known there of what failed. */
export interface Boundary extends Omit<EnvelopeDraft, 'errorClass' | 'severity' | 'message' | 'error'> {
  readonly layer: Layer;
  readonly component: string;
}

/** `stored` in the database, `spooled` to disk until the database takes it, or `lost` and counted. */
export type Kept = 'stored' | 'spooled' | 'lost';

export interface Captured {
  /** What the user is shown. */
  readonly errorId: string;
  readonly envelope: ErrorEnvelope;
  readonly kept: Kept;
}

export interface CaptureCounts {
  readonly stored: number;
  readonly spooled: number;
  readonly lost: number;
  /** How many of them could be given no better class than `unknown`. */
  readonly unknown: number;
}

export interface AttachReport extends ReplayReport {
  /** What kept the spool from being moved to the store; null when nothing did. */
  readonly failure: unknown;
}

export interface CaptureSettings extends EmitterSettings {
  /** The workspace's `.waybill/spool`; null where there is no workspace, then what the store cannot take is lost. */
  readonly spoolFolder: string | null;
  /** How long the store may take before an envelope is spooled instead, in milliseconds. */
  readonly storeTimeoutMs?: number;
}

/**
 * Turns what goes wrong into exactly one envelope each. One for each process, made in `main.ts` before the store is
 * open; boundaries (a surface, a worker, the process itself) call `capture`, code that knows better emits and records.
 */
export class ErrorCapture {
  readonly emitterFor: EmitterFor;
  readonly #spool: Spool | undefined;
  readonly #timeoutMs: number;
  readonly #known = new WeakMap<object, { readonly envelope: ErrorEnvelope; kept: Promise<Kept> }>();
  readonly #counts = { stored: 0, spooled: 0, lost: 0, unknown: 0 };
  #store: ErrorStore | undefined;
  #replaying = false;

  constructor(settings: CaptureSettings) {
    this.emitterFor = createEmitters(settings);
    this.#spool = settings.spoolFolder === null ? undefined : new Spool(settings.spoolFolder);
    this.#timeoutMs = settings.storeTimeoutMs ?? 2000;
  }

  get counts(): CaptureCounts {
    return { ...this.#counts };
  }

  /**
   * From now on envelopes go to this store; what earlier processes or an outage left in the spool follows them. Never
   * rejects: what cannot be moved now keeps waiting, and the report says why.
   */
  async attach(store: ErrorStore): Promise<AttachReport> {
    this.#store = store;
    try {
      const report = await this.#spool?.replay(store);
      return { stored: report?.stored ?? 0, refused: report?.refused ?? 0, failure: null };
    } catch (failure) {
      return { stored: 0, refused: 0, failure };
    }
  }

  /** The store is closing: what still goes wrong is spooled. */
  detach(): void {
    this.#store = undefined;
  }

  /**
   * The envelope of anything thrown. A second boundary that meets the same error, or one caused by it, gets the
   * same envelope and writes nothing. Never rejects. A thrown text or number has no identity: each capture is its own.
   */
  async capture(error: unknown, boundary: Boundary): Promise<Captured> {
    const known = this.#find(error);
    if (known !== undefined) {
      this.#remember(error, known);
      return { errorId: known.envelope.errorId, envelope: known.envelope, kept: await known.kept };
    }
    const envelope = this.#envelopeOf(error, boundary);
    const kept = this.#keep(envelope);
    this.#remember(error, { envelope, kept });
    return { errorId: envelope.errorId, envelope, kept: await kept };
  }

  /** The same, at once and to the spool: for the last words of a process that cannot wait for its store. */
  captureNow(error: unknown, boundary: Boundary): Captured {
    const known = this.#find(error);
    // One that is on its way to the store is spooled too: the store takes it once, whichever comes first.
    const envelope = known?.envelope ?? this.#envelopeOf(error, boundary);
    const kept = this.#toSpool(envelope);
    this.#remember(error, { envelope, kept: Promise.resolve(kept) });
    return { errorId: envelope.errorId, envelope, kept };
  }

  /** Keeps an envelope that an emitter made; `error` is what will still reach a boundary, if anything. Never rejects. */
  async record(envelope: ErrorEnvelope, error?: unknown): Promise<Kept> {
    const kept = this.#keep(envelope);
    this.#remember(error, { envelope, kept });
    return kept;
  }

  /** Says that the envelope of `error` is stored already, by the operation it was part of. */
  recorded(envelope: ErrorEnvelope, error: unknown): void {
    this.#remember(error, { envelope, kept: Promise.resolve('stored') });
  }

  #find(error: unknown) {
    let at = error;
    for (let depth = 0; depth < 6 && isObject(at); depth++) {
      const known = this.#known.get(at);
      if (known !== undefined) return known;
      at = readProperty(at, 'cause');
    }
    return undefined;
  }

  #remember(error: unknown, entry: { readonly envelope: ErrorEnvelope; kept: Promise<Kept> }): void {
    if (isObject(error)) this.#known.set(error, entry);
  }

  #envelopeOf(error: unknown, boundary: Boundary): ErrorEnvelope {
    try {
      return this.#describe(error, boundary);
    } catch (failure) {
      // A proxy that throws at every touch, facts that are no JSON: the failure is recorded all the same.
      const { layer, component } = boundary;
      return this.#describe(new Error('what was thrown cannot be read', { cause: failure }), { layer, component });
    }
  }

  #describe(error: unknown, { layer, component, ...known }: Boundary): ErrorEnvelope {
    const { errorClass, severity } = classify(error);
    if (errorClass === 'unknown') this.#counts.unknown++;
    const facts = error instanceof WaybillError ? { code: error.code, ...error.details } : {};
    return this.#emit(layerOf(errorClass, layer), component, errorClass, {
      ...processEnd(facts),
      ...known,
      severity,
      message: messageOf(error),
      error: error ?? new Error(`${String(error)} was thrown`),
      context: { ...facts, ...known.context },
    });
  }

  #emit(layer: Layer, component: string, errorClass: ErrorClass, draft: Omit<EnvelopeDraft, 'errorClass'>) {
    // The class and the layer are only known now; the emitter checks the pair once more at run time.
    if (layer === 'L4') return this.emitterFor(layer, component).emit({ ...draft, errorClass: domainSide(errorClass) });
    return this.emitterFor(layer, component).emit({ ...draft, errorClass: infraSide(errorClass) });
  }

  async #keep(envelope: ErrorEnvelope): Promise<Kept> {
    if (this.#store === undefined) return this.#toSpool(envelope);
    try {
      await withinTime(this.#store.persist(envelope), this.#timeoutMs);
      this.#counts.stored++;
      void this.#replay(this.#store);
      return 'stored';
    } catch {
      // Why the store failed is an error of its own, and whoever needs the store meets it; the envelope waits on disk.
      return this.#toSpool(envelope);
    }
  }

  /** The store works again: what this process spooled meanwhile follows, beside the work. */
  async #replay(store: ErrorStore): Promise<void> {
    if (this.#spool === undefined || !this.#spool.holdsOwn || this.#replaying) return;
    this.#replaying = true;
    try {
      await this.#spool.replay(store);
    } catch {
      // It keeps waiting on disk; the next envelope that is stored tries again.
    } finally {
      this.#replaying = false;
    }
  }

  #toSpool(envelope: ErrorEnvelope): Kept {
    let kept: Kept = 'lost';
    try {
      if (this.#spool?.put(envelope) === true) kept = 'spooled';
    } catch {
      // The last place to put it is gone as well: counted, and the caller's own work goes on.
    }
    this.#counts[kept]++;
    return kept;
  }
}

/** Exit code and signal, where the error says them: they are part of the fingerprint. */
function processEnd({ exitCode, signal }: JsonObject): { exitCode: number | null; signal: string | null } {
  return {
    exitCode: typeof exitCode === 'number' ? exitCode : null,
    signal: typeof signal === 'string' ? signal : null,
  };
}

function domainSide(errorClass: ErrorClass): ClassOf<'L4'> {
  return isInfra(errorClass) ? 'unknown' : errorClass;
}

function infraSide(errorClass: ErrorClass): ClassOf<'L6'> {
  return isDomain(errorClass) ? 'unknown' : errorClass;
}

function isInfra(errorClass: ErrorClass): errorClass is Extract<ErrorClass, `infra.${string}`> {
  return errorClass.startsWith('infra.');
}

function isDomain(errorClass: ErrorClass): errorClass is Extract<ErrorClass, `domain.${string}`> {
  return errorClass.startsWith('domain.');
}

async function withinTime(work: Promise<void>, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new WaybillError('store_unavailable', 'the store did not answer in time')),
      timeoutMs,
    );
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
