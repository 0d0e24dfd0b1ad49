import { AsyncLocalStorage } from 'node:async_hooks';
import { WaybillError } from '../../contract/errors.ts';

const openScopes = new AsyncLocalStorage<Scope>();

/**
 * @throws WaybillError `transaction_nested` when called from inside a scope that is still open: on one writer
 * it would wait for itself, on a pool it would be a second transaction that does not see the first.
 */
export function refuseNesting(what: string): void {
  if (openScopes.getStore()?.isOpen !== true) return;
  throw new WaybillError('transaction_nested', `store.${what} was called inside a transaction scope`, {
    hint: 'Use the transaction the scope was given, or call the store after the scope has returned.',
  });
}

/**
 * The life of one transaction closure, the same on both engines. It counts queries in flight, remembers the
 * first failed statement, and ends the closure in an error when nothing is in flight and it still has not
 * returned by the next macrotask: then it is waiting for something that is not its transaction, and would
 * keep the writer (or a connection and its locks) for as long as that takes.
 */
export class Scope {
  /** The caller's async context (its correlation among it): the writer runs the closure from a context of its own. */
  readonly #callersContext = AsyncLocalStorage.snapshot();
  #inFlight = 0;
  #failure: unknown;
  #failed = false;
  #open = true;
  #idleCheck: NodeJS.Immediate | undefined;
  #foundIdle: ((error: WaybillError) => void) | undefined;
  #quiet: (() => void) | undefined;

  get isOpen(): boolean {
    return this.#open;
  }

  /**
   * Runs the closure; the caller commits when this resolves and rolls back when it rejects.
   * @throws what the closure threw, or a WaybillError `transaction_*` naming the broken rule.
   */
  async run<T>(closure: () => Promise<T>): Promise<T> {
    const awaitedOutside = new Promise<never>((_, reject) => {
      this.#foundIdle = reject;
    });
    const outcome = this.#callersContext(() => openScopes.run(this, () => this.#runToEnd(closure)));
    this.#checkIdle();
    try {
      return await Promise.race([outcome, awaitedOutside]);
    } finally {
      this.#end();
    }
  }

  /**
   * Runs one query of the scope.
   * @throws WaybillError `transaction_after_end`, `transaction_statement_failed`, or the query's own error.
   */
  async query<T>(execute: () => Promise<T>): Promise<T> {
    if (!this.#open) {
      throw new WaybillError('transaction_after_end', 'a transaction was used after its scope had ended', {
        hint: 'Await every query inside the scope and keep no reference to its transaction.',
      });
    }
    if (this.#failed) throw swallowed(this.#failure);
    this.#inFlight++;
    try {
      return await execute();
    } catch (error) {
      if (!this.#failed) this.#failure = error;
      this.#failed = true;
      throw error;
    } finally {
      this.#inFlight--;
      if (this.#inFlight === 0) this.#quiet?.();
      this.#checkIdle();
    }
  }

  /** Resolves when no query of the scope is in flight any more, so that its connection can be used again. */
  async settled(): Promise<void> {
    if (this.#inFlight === 0) return;
    await new Promise<void>((resolve) => {
      this.#quiet = resolve;
    });
  }

  async #runToEnd<T>(closure: () => Promise<T>): Promise<T> {
    try {
      const value = await closure();
      this.#refuseLoose();
      return value;
    } finally {
      this.#end();
    }
  }

  /** A statement that failed and was caught would commit half of what the closure meant. */
  #refuseLoose(): void {
    if (this.#failed) throw swallowed(this.#failure);
    if (this.#inFlight > 0) {
      throw new WaybillError(
        'transaction_query_pending',
        'a transaction scope returned while a query was still running',
        {
          hint: 'Await every query inside the scope.',
        },
      );
    }
  }

  #checkIdle(): void {
    if (!this.#open || this.#idleCheck !== undefined) return;
    this.#idleCheck = setImmediate(() => {
      this.#idleCheck = undefined;
      if (!this.#open || this.#inFlight > 0) return;
      this.#foundIdle?.(
        new WaybillError(
          'transaction_awaited_outside',
          'a transaction scope awaited something that is not a query of its own',
          {
            hint: 'Do timers, files, network and other transactions before or after the scope.',
          },
        ),
      );
    });
  }

  #end(): void {
    this.#open = false;
    if (this.#idleCheck !== undefined) clearImmediate(this.#idleCheck);
    this.#idleCheck = undefined;
  }
}

function swallowed(failure: unknown): WaybillError {
  const what = failure instanceof WaybillError ? `: ${failure.message}` : '';
  return new WaybillError(
    'transaction_statement_failed',
    `a statement failed inside a transaction scope that went on${what}`,
    {
      hint: 'Let the error leave the scope, so that the transaction is rolled back; catch it outside.',
      cause: failure,
    },
  );
}
