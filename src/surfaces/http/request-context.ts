import { implement } from '@orpc/server';
import { contract } from '../../contract/api/contract.ts';
import type { Caller } from '../../domain/workspace/tokens/tokens.ts';

/** What a handler of the contract knows of its request beside its input. */
export interface RequestContext {
  readonly caller: Caller;
  /** Aborted when the client goes away before its answer. Asked for once, by a handler that waits. */
  readonly gone: () => AbortSignal;
}

/** The contract, to be given handlers. */
export const api = implement(contract).$context<RequestContext>();
