import type { EngineResult } from './engine-result.ts';
import type { EventRates } from './events.ts';
import type { Delivery, IdleUse } from './followers.ts';
import type { RegistryRows } from './registry.ts';
import type { Row as SnapshotRow } from './snapshot.ts';
import type { StartUp } from './start-up.ts';

export interface NamedResult extends EngineResult {
  readonly name: string;
}

export interface ResumeTimes {
  readonly events: number;
  /** Seconds until the run was taken over, and until it was finished. */
  readonly resumed: number;
  readonly finished: number;
  /** MiB above the same process that only opened the store. */
  readonly aboveIdle: number;
}

export interface Machine {
  readonly date: string;
  readonly processor: string;
  readonly cores: number;
  readonly memory: string;
  readonly system: string;
  readonly node: string;
  /** Milliseconds of one fdatasync of 4 KiB, before and after everything else: what all durable writes pay. */
  readonly syncBefore: number;
  readonly syncAfter: number;
  /** Load average before and after. */
  readonly loadBefore: number;
  readonly loadAfter: number;
}

/** What is measured of `waybill serve`. */
export interface DaemonResults {
  /** From submit to result; Waybill first. */
  readonly submit: readonly NamedResult[];
  readonly delivery: Delivery;
  readonly idle: readonly IdleUse[];
  /** The floor first. */
  readonly start: readonly StartUp[];
}

/** All that one `npm run bench` measured; what was not asked for is missing. */
export interface BenchResults {
  readonly machine: Machine;
  readonly rounds: number;
  readonly seconds: number;
  readonly engines?: readonly NamedResult[];
  readonly events?: EventRates;
  readonly snapshots?: readonly SnapshotRow[];
  readonly resume?: ResumeTimes;
  readonly startUp?: readonly StartUp[];
  readonly daemon?: DaemonResults;
  readonly registry?: RegistryRows;
}
