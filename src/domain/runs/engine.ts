import type { Digest } from '../../contract/ids.ts';
import type { JsonObject, JsonValue } from '../../contract/json.ts';
import type { AnyWorkflow } from '../../contract/workflow.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import type { Redactor } from '../../platform/redaction/redactor.ts';
import type { Store } from '../../platform/store/store.ts';
import type { LeaseKeeper } from './lease/lease-keeper.ts';
import type {
  AgentPort,
  AgentSettings,
  BlobPort,
  CheckoutPort,
  CommandPort,
  HostPort,
  ProcessPort,
  SnapshotPort,
  ToolPort,
} from './ports.ts';

/** A failure of a run's work, on its way to the error store. */
export interface FailureReport {
  readonly runId: string;
  readonly step: string | null;
  readonly agent: string | null;
  readonly code: string;
  readonly message: string;
  readonly details: JsonObject;
  readonly input: JsonValue | undefined;
}

export interface WorkspaceFacts {
  readonly root: string;
  /** Digest of the configuration's text; null when there is none. */
  readonly configDigest: string | null;
  readonly snapshot: { readonly include: readonly string[]; readonly exclude: readonly string[] };
}

/** All the engine needs; main.ts builds it, tests build their own. */
export interface Engine {
  readonly store: Store;
  readonly clock: Clock;
  readonly host: HostPort;
  readonly processes: ProcessPort;
  readonly commands: CommandPort;
  readonly agents: AgentPort;
  readonly snapshots: SnapshotPort;
  readonly checkout: CheckoutPort;
  readonly tools: ToolPort;
  readonly blobs: BlobPort;
  /** Takes secrets out of what is about to be hashed and stored: what a workflow sees is what is stored. */
  readonly redact: Redactor;
  /** The complete environment of a process: the harmless variables, those allowed by name, those set. */
  readonly environment: (rules: {
    readonly allow: readonly string[];
    readonly set: Readonly<Record<string, string>>;
  }) => Record<string, string>;
  readonly leases: LeaseKeeper;
  readonly workspace: WorkspaceFacts;
  readonly agentSettings: ReadonlyMap<string, AgentSettings>;
  readonly workflows: ReadonlyMap<string, AnyWorkflow>;
  /** Keyed hash of the name of this machine, for provenance; null unless the workspace wants it. */
  readonly hostHash: Digest | null;
  /** Versions of Waybill and what it runs on, for provenance. */
  readonly versions: Readonly<Record<string, string>>;
  /** Resolves with the id of the stored envelope, or null when even that failed (which is counted). */
  readonly report: (failure: FailureReport) => Promise<string | null>;
}
