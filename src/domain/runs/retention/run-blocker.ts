import type { RunId } from '../../../contract/ids.ts';

/**
 * What may need a run for longer than retention would keep it: a published version, an open incident, a control, a
 * disposition. Each feature that refers to runs adds one. It is asked before a removal, outside its transaction; a
 * reference that must hold whatever happens meanwhile is a guard of the tables too.
 */
export interface RunBlocker {
  /** What it speaks for: `published versions`. */
  readonly name: string;
  /** Of these runs those that must be kept, each with the reason a person reads: `version acme/tool@1.2.0 was built by it`. */
  blocks(runs: readonly RunId[]): Promise<ReadonlyMap<RunId, string>>;
}
