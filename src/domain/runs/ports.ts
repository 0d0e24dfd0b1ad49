import type { AgentConfiguration } from '../../contract/configuration.ts';
import type { Digest, IdempotencyKey, RunId, SnapshotId } from '../../contract/ids.ts';
import type { JsonObject, JsonValue } from '../../contract/json.ts';
import type { ToolDescription, ToolFunction } from '../../contract/tool.ts';
import type { Micros } from '../../platform/clock/clock.ts';

/** What the runs of this machine need from the outside; executors implement these, main.ts hands them in. */

// ---- processes -------------------------------------------------------------------------------------------

/** Names one process beyond the reuse of its pid: enough to find and kill it, and its kin, after a restart. */
export type ProcessIdentity = {
  readonly pid: number;
  /** Kernel start time of that pid, as the platform gives it (Linux: clock ticks since boot). */
  readonly startTime: string;
  readonly bootId: string;
  readonly host: string;
  /** Value of `WAYBILL_MARKER` in the environment of the process and all it starts. */
  readonly marker: string;
};

/** How this machine makes sure that nothing is left: the kernel guarantees it, or we search until none is found. */
export interface Containment {
  readonly how: 'contained' | 'swept';
  /** The means in one line, for provenance and doctor: `user+pid namespace, mounted proc`. */
  readonly means: string;
}

export type KillReport = {
  readonly how: Containment['how'];
  /** Processes that were found alive and signaled. */
  readonly signaled: number;
  /** Processes still alive after the grace period and SIGKILL: 0, or the report is a failure. */
  readonly left: number;
};

export interface ProcessExit {
  readonly exitCode: number | null;
  readonly signal: string | null;
}

export interface ProcessSpec {
  readonly argv: readonly [string, ...string[]];
  readonly cwd: string;
  /** The complete environment; nothing of ours is added but `WAYBILL_MARKER`. */
  readonly env: Readonly<Record<string, string>>;
  readonly marker: string;
}

/** A process that exists but has not begun its program: its identity can be made durable first. */
export interface HeldProcess {
  readonly identity: ProcessIdentity;
  readonly stdin: NodeJS.WritableStream;
  readonly stdout: NodeJS.ReadableStream;
  readonly stderr: NodeJS.ReadableStream;
  /** Lets the program begin. */
  release(): void;
  /** Settles once, when the direct process is gone; rejects with `process_spawn_failed` if it died before its release. */
  readonly exited: Promise<ProcessExit>;
  /** SIGTERM to all of the tree, `graceMs`, then SIGKILL; resolves when nothing of it is left. */
  kill(graceMs: number): Promise<KillReport>;
}

export interface ProcessPort {
  readonly containment: Containment;
  /** @throws WaybillError `process_spawn_failed` */
  start(spec: ProcessSpec): Promise<HeldProcess>;
  /** Kills what is left of a process of an earlier, dead runner. */
  killLeftovers(identity: ProcessIdentity, graceMs: number): Promise<KillReport>;
}

/** One stream of a finished command: bounded text for people, size and digest of all of it for proof. */
export interface CapturedOutput {
  readonly text: string;
  readonly bytes: number;
  readonly digest: Digest;
  /** True when `text` leaves out the middle. */
  readonly truncated: boolean;
}

export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: CapturedOutput;
  readonly stderr: CapturedOutput;
}

export interface CommandControl {
  readonly stdin?: string;
  readonly deadlineMs: number;
  readonly graceMs: number;
  readonly signal: AbortSignal;
  /** Must resolve (durable) before the program begins. */
  readonly onStart: (identity: ProcessIdentity) => Promise<void>;
  /** Told when nothing of the process tree is left, however it ended. */
  readonly onGone: (report: KillReport) => void;
  /** The bytes of the standard output as they come and as they are. What it throws ends the command and is thrown again. */
  readonly onStdout?: (bytes: Uint8Array) => void;
  /** Output as it comes, well-formed and NUL-free; its promise is back-pressure. */
  readonly onOutput?: (text: string, stream: 'stdout' | 'stderr') => Promise<void>;
}

/** Runs one command to its end. */
export interface CommandPort {
  /** @throws WaybillError `process_spawn_failed`, `process_signal`, `process_timeout`, `canceled`; an exit code is a result. */
  run(spec: ProcessSpec, control: CommandControl): Promise<CommandResult>;
}

/** Who holds a lease: one runner process, named beyond the reuse of its pid. */
export interface HolderIdentity {
  readonly pid: number;
  readonly startTime: string;
  readonly bootId: string;
  readonly host: string;
  /** One of several runners inside the process. */
  readonly instance: string;
}

export interface HostPort {
  readonly self: HolderIdentity;
  /** `unknown` for a holder on another machine: only its lease's expiry tells. */
  liveness(holder: HolderIdentity): 'alive' | 'dead' | 'unknown';
}

// ---- agents ----------------------------------------------------------------------------------------------

export type ArtifactClaim = {
  /** Relative to the workspace, with forward slashes. */
  readonly path: string;
  readonly size: number;
  readonly digest: Digest;
};

/** A command as the engine hands it over; the agent room adds ids and times of the message itself. */
export interface AgentCommand {
  readonly idempotencyKey: IdempotencyKey;
  readonly runId: RunId;
  readonly task: string | null;
  readonly step: string;
  readonly attempt: number;
  /** True when the same key may have been sent before (a crash lay between effect and receipt, or a retry). */
  readonly resent: boolean;
  readonly action: string;
  readonly inputs: JsonObject;
  readonly expectedOutputs: readonly string[];
  readonly snapshot: { readonly id: SnapshotId; readonly digest: Digest } | null;
}

export interface AgentAnswer {
  readonly outputs: JsonObject;
  readonly artifacts: readonly ArtifactClaim[];
}

/** What an agent says on its way: kept in the ledger as `agent.log` or `agent.progress`. */
export interface AgentNote {
  readonly kind: 'log' | 'progress' | 'stderr';
  readonly level: 'debug' | 'info' | 'warning' | 'error';
  readonly message: string;
  readonly data?: JsonObject;
  /** Notes dropped before this one, because the agent spoke faster than its budget. */
  readonly dropped?: number;
}

export interface AgentSessionContext {
  readonly runId: RunId;
  readonly workspaceRoot: string;
  readonly marker: string;
  readonly traceparent: string | null;
  /** Aborted when the run is told to end: a session that is being opened is ended then, as `send` ends one at work. */
  readonly signal: AbortSignal;
  /** Must resolve (durable) before the first command is sent. */
  readonly onProcess: (identity: ProcessIdentity) => Promise<void>;
  /** Back-pressure: the next note is read only when the promise of the last one is settled. */
  readonly onNote: (note: AgentNote) => Promise<void>;
}

export interface AgentSession {
  /** What `hello` said; for transports without one, what the configuration says. */
  readonly agent: { readonly name: string; readonly version: string; readonly dedupe: boolean };
  /**
   * Sends one command and waits for its one answer.
   * @throws WaybillError `agent_*`, `process_*` or `canceled`, with `details.retryable`.
   */
  send(
    command: AgentCommand,
    control: { readonly deadlineMs: number; readonly signal: AbortSignal },
  ): Promise<AgentAnswer>;
  /** False once the process is gone or no longer to be trusted; the engine then opens a new session. */
  readonly usable: boolean;
  close(graceMs: number): Promise<KillReport>;
}

/** How an agent is reached and bounded, after defaults have been filled in. */
export interface AgentSettings extends Omit<AgentConfiguration, 'handler'> {
  /** The in-process agent of the transport `function`. */
  readonly handler?: (command: AgentCommand, signal: AbortSignal) => Promise<AgentAnswer>;
}

export interface AgentPort {
  open(settings: AgentSettings, context: AgentSessionContext): Promise<AgentSession>;
}

// ---- the tree --------------------------------------------------------------------------------------------

export type FileKind = 'file' | 'executable' | 'symlink';

export interface SnapshotEntry {
  /** Path relative to the root, forward slashes; bytes that are not UTF-8 are escaped as `%XX` and `raw` is true. */
  readonly path: string;
  readonly kind: FileKind;
  readonly size: number;
  readonly digest: Digest;
  readonly raw?: true;
}

export interface SnapshotOmission {
  readonly path: string;
  readonly reason: 'unreadable' | 'vanished' | 'fifo' | 'socket' | 'device' | 'excluded' | 'submodule';
}

export interface Snapshot {
  readonly id: SnapshotId;
  readonly digest: Digest;
  /** The rule that chose the files; part of the digest. */
  readonly rule: 'git' | 'walk';
  readonly files: readonly SnapshotEntry[];
  readonly omitted: readonly SnapshotOmission[];
  readonly bytes: number;
}

export interface SnapshotRequest {
  readonly root: string;
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}

export type TreeDifference = {
  readonly path: string;
  readonly change: 'added' | 'removed' | 'changed';
};

export interface SnapshotPort {
  capture(request: SnapshotRequest, signal?: AbortSignal): Promise<Snapshot>;
}

// ---- facts about the checkout ------------------------------------------------------------------------------

export type Known<T> = { readonly known: true; readonly value: T } | { readonly known: false; readonly reason: string };

export interface CheckoutFacts {
  readonly name: Known<string>;
  readonly remote: Known<string>;
  readonly commit: Known<string>;
  readonly branch: Known<string>;
  readonly dirty: Known<boolean>;
  readonly readAt: Micros;
}

export interface CheckoutPort {
  facts(root: string): Promise<CheckoutFacts>;
}

// ---- bytes -------------------------------------------------------------------------------------------------

export interface BlobPort {
  put(bytes: Uint8Array): Promise<Digest>;
  /** Streams a file into the store; resolves with what was really read. */
  putFile(path: string): Promise<{ readonly digest: Digest; readonly size: number }>;
  /** @throws WaybillError `blob_missing` or `blob_corrupt` */
  get(digest: Digest): Promise<Uint8Array>;
  has(digest: Digest): Promise<boolean>;
  /** Keeps bytes that are there from being collected until a reference to them is committed; null when there are none. */
  touch(digest: Digest): Promise<object | null>;
}

// ---- tools -------------------------------------------------------------------------------------------------

/** A tool that may be called: its description is valid, its schemas compile, its permissions are granted. */
export interface Tool {
  readonly description: ToolDescription;
  /** Absolute path of `waybill.tools/<id>`. */
  readonly folder: string;
  readonly digests: { readonly description: Digest; readonly inputSchema: Digest; readonly outputSchema: Digest };
  /** Empty when the value fits; else each problem with its path below `input` or `output`. */
  inputProblems(value: JsonValue): readonly { readonly path: string; readonly message: string }[];
  outputProblems(value: JsonValue): readonly { readonly path: string; readonly message: string }[];
  /** The function of a tool of the kind `function`. @throws WaybillError `tool_invalid` */
  load(): Promise<ToolFunction>;
}

export interface ToolPort {
  /** @throws WaybillError `tool_not_found`, `tool_invalid`, `tool_not_permitted` */
  find(id: string): Promise<Tool>;
}
