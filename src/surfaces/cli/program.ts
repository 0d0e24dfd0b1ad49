import type { MadeToken, Token } from '../../contract/api/tokens.ts';
import type { ToolDetail, ToolList } from '../../contract/api/tools.ts';
import type { LedgerEvent, Receipt, RunState, RunStateName } from '../../contract/evidence.ts';
import type { JsonValue } from '../../contract/json.ts';
import type { Registry } from '../../domain/registry/registry.ts';
import type { Releases } from '../../domain/registry/release/releases.ts';
import type { ReleaseVerification } from '../../domain/registry/verify/verify-release.ts';
import type { RetentionReport } from '../../domain/runs/retention/retention-report.ts';
import type { RoleChange, WantedToken } from '../../domain/workspace/tokens/tokens.ts';
import type { RelayReport } from '../../domain/workspace/webhooks/relay-report.ts';
import type { Webhooks } from '../../domain/workspace/webhooks/webhooks.ts';
import type { Workspace } from '../../domain/workspace/workspace.ts';
import type { RunRow } from '../../views/runs.ts';

/**
 * What the commands call, as one interface: through a daemon where one runs, else in this process; tests give a fake.
 * Every method rejects with a WaybillError whose code decides the exit code of the command.
 */
export interface Program {
  requestRun(runId: string, request: RunRequest, key: string | null): Promise<RequestAnswer>;
  listRuns(filter: RunFilter): Promise<RunPage>;
  showRun(runId: string): Promise<RunState>;
  lookAt(runId: string): Promise<LookedAt>;
  /** All receipts in order, those shared with an earlier run first. */
  receipts(runId: string): Promise<readonly Receipt[]>;
  /** @throws WaybillError `receipt_not_found` */
  receipt(runId: string, number: number): Promise<Receipt>;
  /**
   * Events with `seq` above `since`; with `follow` until the terminal event. Ends quietly when aborted.
   * @throws WaybillError `run_removed` when retention took them meanwhile
   */
  events(runId: string, request: FollowEvents): AsyncIterable<LedgerEvent>;
  listTools(): Promise<ToolList>;
  /** @throws WaybillError `tool_not_found`, `tool_invalid` */
  showTool(id: string): Promise<ToolDetail>;
  /** @throws WaybillError `token_exists`, `repo_not_found`, `invalid_input` */
  makeToken(wanted: WantedToken): Promise<MadeToken>;
  listTokens(): Promise<readonly Token[]>;
  /** @throws WaybillError `token_not_found`, `repo_not_found`, `invalid_transition`, `invalid_input` */
  changeRoles(id: string, change: RoleChange): Promise<Token>;
  /** @throws WaybillError `token_not_found` */
  revokeToken(id: string): Promise<Token>;
  close(): Promise<void>;
}

/** With the engine in this process: it can work on runs itself, and read and write evidence. */
export interface OwnProgram extends Program {
  startRun(request: StartRun): Promise<RunInHand>;
  /** Makes a run as a daemon does, and works on it here. */
  startSubmitted(request: SubmitRun): Promise<RunInHand>;
  resumeRun(runId: string, request: ResumeRun): Promise<RunInHand>;
  /** A new run that shares the receipts before a step. */
  forkRun(runId: string, request: ForkRun): Promise<RunInHand>;
  exportRun(runId: string, request: ExportRun): Promise<Exported>;
  importBundle(file: string): Promise<Imported>;
  /** `key`: a public key (file or text) the signature must be of. */
  verifyRun(runId: string, key: string | null): Promise<VerifyReport>;
  /** The registry of this workspace, and who acts on it. */
  registry(): Promise<OwnRegistry>;
  /** The webhooks of this workspace, and who acts on them. */
  webhooks(): Promise<{ readonly webhooks: Webhooks; readonly actor: string }>;
  /** Sends what is due now, and ends. */
  relayWebhooks(): Promise<RelayReport>;
  /** The same with what making and verifying releases needs. */
  releases(): Promise<OwnReleases>;
  runRetention(request: { readonly dryRun: boolean }): Promise<RetentionReport>;
}

/** What the commands of the registry call the domain with. */
export interface OwnRegistry {
  readonly registry: Registry;
  readonly actor: string;
}

/** What the commands of releases call the domain with. */
export interface OwnReleases {
  readonly releases: Releases;
  readonly actor: string;
}

/** How a release is verified. */
export interface VerifyRelease {
  /** The file of the public key that must have signed it. */
  readonly key: string | null;
  /** A clone in which to look for the commit. */
  readonly checkout: string | null;
}

/** Through a running daemon, which works on what it is given. */
export interface DaemonProgram extends Program {
  /** Makes a run durable; the daemon begins it. */
  submitRun(request: SubmitRun): Promise<{ readonly runId: string; readonly created: boolean }>;
}

/** What needs no workspace. */
export interface Tools {
  /** Verifies a bundle file or a folder of evidence files, offline. */
  verifyPath(path: string, key: string | null): Promise<VerifyReport>;
  /** Verifies a release bundle, offline; `start` is where a workspace is looked for, which is not needed. */
  verifyReleaseBundle(file: string, how: VerifyRelease & { readonly start: string }): Promise<ReleaseVerification>;
  /** Runs the conformance cases of the agent protocol against a command. */
  checkAgent(command: readonly [string, ...string[]], options: { readonly signal: AbortSignal }): Promise<AgentReport>;
  /** Plays the agent of a script on standard input and output until they end; resolves with the exit code. */
  mockAgent(script: string): Promise<number>;
}

export interface StartRun {
  /** Unless given, `task` for tasks. */
  readonly workflow: string;
  readonly tasks: readonly string[];
  readonly input: JsonValue;
  /** Two starts with the same key are one run. */
  readonly key: string | null;
}

/** A tool with its input, or a workflow with its input or tasks. */
export interface SubmitRun {
  readonly what: { readonly tool: string } | { readonly workflow: string };
  readonly tasks: readonly string[];
  readonly input: JsonValue;
  /** Higher goes first. */
  readonly priority: number;
  readonly key: string | null;
}

/** A run at this moment, for who waits for it. */
export interface LookedAt {
  readonly run: RunState;
  /** Nobody works on it, and nobody will before somebody resumes it. */
  readonly abandoned: boolean;
}

export interface ResumeRun {
  /** Start a new run that shares the good receipts of a failed one, and say why. */
  readonly retryFailed: { readonly reason: string } | null;
  readonly acceptDrift: boolean;
}

export interface ForkRun {
  /** The first step to do anew: its number or name in `show --receipts`. */
  readonly from: string;
  readonly key: string | null;
  readonly acceptDrift: boolean;
}

/** A run this process works on, or one that was there already. */
export interface RunInHand {
  readonly runId: string;
  /** `existing`: an earlier start with the same key made it; `finished`: nothing is left to do. Both execute nothing. */
  readonly how: 'created' | 'resumed' | 'existing' | 'finished';
  /** The `seq` before the first event of this pass: where a live transcript begins. */
  readonly since: number;
  /** Settles when this process is done with the run: it is terminal, rests, or was stopped. */
  readonly finished: Promise<RunState>;
  /** Ends the run's processes in order and leaves it resumable. */
  stop(signal: 'SIGINT' | 'SIGTERM'): void;
}

/** `step`: the approval as `show` names it. */
export type RunRequest =
  | { readonly kind: 'cancel'; readonly comment: string | null }
  | { readonly kind: 'pause' }
  | { readonly kind: 'approve' | 'deny'; readonly step: string; readonly comment: string | null }
  | { readonly kind: 'signal'; readonly name: string; readonly payload: JsonValue };

export interface RequestAnswer {
  /** `done`: in the ledger; `kept`: nobody waits for it yet, the run will find it; `unchanged`: nothing to do. */
  readonly outcome: 'done' | 'kept' | 'unchanged';
  /** Who did it: the process that holds the run, or this one because nobody does. */
  readonly by: 'holder' | 'requester';
}

export interface RunFilter {
  readonly states: readonly RunStateName[];
  readonly workflow: string | null;
  readonly task: string | null;
  readonly limit: number;
  readonly cursor: string | null;
}

/** A run as far as a list shows it. */
export type ListedRun = RunRow & Pick<RunState, 'currentStep'>;

export interface RunPage {
  /** Newest first. */
  readonly runs: readonly ListedRun[];
  readonly nextCursor: string | null;
}

export interface FollowEvents {
  readonly since: number;
  readonly follow: boolean;
  readonly signal?: AbortSignal;
}

export type ExportRun = { readonly kind: 'files' } | { readonly kind: 'bundle'; readonly out: string };

export interface Exported {
  readonly runId: string;
  /** The folder or the file written. */
  readonly path: string;
  readonly files: number;
  readonly bytes: number;
  readonly digest: string | null;
}

export interface Imported {
  readonly runId: string;
  /** False when the very same run was here already. */
  readonly created: boolean;
  readonly events: number;
  readonly receipts: number;
}

export interface VerifyProblem {
  readonly where: string;
  readonly message: string;
}

/** Intact and authentic are two answers. */
export interface VerifyReport {
  readonly subject: string;
  readonly intact: boolean;
  /** In the order found; the first names the first broken link. */
  readonly problems: readonly VerifyProblem[];
  readonly authentic: 'unsigned' | 'signed' | 'wrong_key' | 'not_checked';
  /** What was looked at, by name: events, receipts, blobs, artifacts ... */
  readonly checked: Readonly<Record<string, number>>;
  readonly runId: string | null;
  readonly state: RunStateName | null;
}

export interface AgentReport {
  readonly agent: { readonly name: string; readonly version: string } | null;
  readonly cases: readonly {
    readonly name: string;
    readonly passed: boolean;
    /** False when the case could not be tried with this agent; `message` says why. */
    readonly checked?: boolean;
    readonly message: string | null;
  }[];
}

/** What the command line runs on: main.ts gives the real one. */
export interface Host {
  readonly version: string;
  /** Where relative paths start. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly terminal: Terminal;
  readonly tools: Tools;
  openProgram(workspace: Workspace): Promise<OwnProgram>;
  /** Runs the daemon until `stop` is aborted and everything is at rest; a second abort, of `now`, ends it at once. */
  serve(workspace: Workspace, options: ServeOptions): Promise<void>;
  /** Keeps an envelope of a failure; resolves with its `err_` id, or null when none could be kept. */
  report(error: unknown): Promise<string | null>;
  /** Starts this very program again, detached, with other arguments; resolves with the first JSON it prints. */
  startInBackground(args: readonly string[]): Promise<{ readonly pid: number; readonly first: JsonValue }>;
}

export interface ServeOptions {
  /** A port on 127.0.0.1, 0 for any free one; null listens on none. */
  readonly port: number | null;
  /** A path, or the workspace's own; null listens on none. */
  readonly socket: { readonly path: string } | 'own' | null;
  /** A `postgres://` address instead of what the configuration says. */
  readonly store: string | null;
  /** Runs at work at once; null is what the configuration says. */
  readonly concurrency: number | null;
  /** Asks it to end in order: take no work, let steps finish within the drain time, hand the rest over. */
  readonly stop: AbortSignal;
  /** Hands over at once what is still at work. */
  readonly now: AbortSignal;
  /** Told once, when it answers. */
  readonly ready: (daemon: ServingDaemon) => Promise<void>;
}

export interface ServingDaemon {
  readonly url: string | null;
  readonly socket: string | null;
  /** Where the token is that speaks for who started it. */
  readonly tokenFile: string;
  readonly pid: number;
}

export interface Terminal {
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readInput(): Promise<string>;
  /** Calls back at each SIGINT and SIGTERM until disposed. */
  onStop(handler: (signal: 'SIGINT' | 'SIGTERM') => void): Disposable;
  /** Ends the process at once. */
  exit(code: number): never;
}

export interface OutputStream {
  readonly isTerminal: boolean;
  /** Aborted when nobody reads any more; what is written then is dropped. */
  readonly closed: AbortSignal;
  /** Resolves when more may be written: a slow reader slows us down instead of filling memory. */
  write(text: string): Promise<void>;
}
