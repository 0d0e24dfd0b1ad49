import type { Registry } from '../registry.ts';
import type { Damage, DamageKind, FsckReport, Remark } from './damage.ts';

/** Damage that is named; what is found beyond it is counted. */
const mostNamed = 1_000;

/** One pass of `fsck`: what it has found and counted so far. */
export class Inspection {
  readonly registry: Registry;
  readonly #signal: AbortSignal | undefined;
  readonly #progress: (what: string, count: number) => void;
  readonly #damage: Damage[] = [];
  readonly #checked = new Map<string, number>();
  readonly #remarks: Remark[] = [];
  readonly #kinds = new Set<DamageKind>();
  #damageCount = 0;

  constructor(
    registry: Registry,
    {
      signal,
      progress,
    }: { readonly signal: AbortSignal | undefined; readonly progress: (what: string, count: number) => void },
  ) {
    this.registry = registry;
    this.#signal = signal;
    this.#progress = progress;
  }

  get stopped(): boolean {
    return this.#signal?.aborted === true;
  }

  /** Says that `count` more of something were looked at. */
  looked(what: string, count = 1): void {
    const all = (this.#checked.get(what) ?? 0) + count;
    this.#checked.set(what, all);
    this.#progress(what, all);
  }

  found(kind: DamageKind, where: string, found: string): void {
    this.#damageCount += 1;
    this.#kinds.add(kind);
    if (this.#damage.length < mostNamed) this.#damage.push({ kind, where, found });
  }

  remark(remark: Remark): void {
    if (remark.count > 0) this.#remarks.push(remark);
  }

  hasFound(kind: DamageKind): boolean {
    return this.#kinds.has(kind);
  }

  /** How much was found so far. */
  get damageCount(): number {
    return this.#damageCount;
  }

  get report(): FsckReport {
    return {
      intact: this.#damageCount === 0,
      complete: !this.stopped,
      damage: this.#damage,
      damageCount: this.#damageCount,
      remarks: this.#remarks,
      checked: Object.fromEntries(this.#checked),
    };
  }
}
