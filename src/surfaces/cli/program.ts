import type { LedgerEvent, Receipt, RunState, RunStateName } from '../../contract/evidence.ts';
import type { JsonValue } from '../../contract/json.ts';
import type { Workspace } from '../../domain/workspace/workspace.ts';

/**
 * What the commands call, as one interface: main.ts gives the real one, tests a fake one. Every method rejects
 * with a WaybillError whose code decides the exit code of the command.
 */
export interface Program {
  startRun(request: StartRun): Promise<RunInHand>;
  resumeRun(runId: string, request: ResumeRun): Promise<RunInHand>;
  /** A new run that shares the receipts before a step. */
  forkRun(runId: string, request: ForkRun): Promise<RunInHand>;
  requestRun(runId: string, request: RunRequest): Promise<RequestAnswer>;
  listRuns(filter: RunFilter): Promise<RunPage>;
  showRun(runId: string): Promise<RunState>;
  /** All receipts in order, those shared with an earlier run first. */
  receipts(runId: string): Promise<readonly Receipt[]>;
  /** @throws WaybillError `receipt_not_found` */
  receipt(runId: string, number: number): Promise<Receipt>;
  /** Events with `seq` above `since`; with `follow` until the terminal event. Ends quietly when aborted. */
  events(runId: string, request: FollowEvents): AsyncIterable<LedgerEvent>;
  exportRun(runId: string, request: ExportRun): Promise<Exported>;
  importBundle(file: string): Promise<Imported>;
  /** `key`: a public key (file or text) the signature must be of. */
  verifyRun(runId: string, key: string | null): Promise<VerifyReport>;
  runRetention(request: { readonly dryRun: boolean }): Promise<RetentionReport>;
  close(): Promise<void>;
}

/** What needs no workspace. */
export interface Tools {
  /** Verifies a bundle file or a folder of evidence files, offline. */
  verifyPath(path: string, key: string | null): Promise<VerifyReport>;
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
  /** False leaves the run queued for another process: `finished` resolves at once. */
  readonly work: boolean;
}

export interface ResumeRun {
  /** Start a new run that shares the good receipts of a failed one, and say why. */
  readonly retryFailed: { readonly reason: string } | null;
  readonly acceptDrift: boolean;
  readonly work: boolean;
}

export interface ForkRun {
  /** A step as `show` names it: `review#2`. */
  readonly from: string;
  readonly key: string | null;
  readonly acceptDrift: boolean;
  readonly work: boolean;
}

/** A run this process works on, or has found finished. */
export interface RunInHand {
  readonly runId: string;
  /** `created`; `existing`: the same key; `resumed`; `finished`: there was nothing left to do. */
  readonly how: 'created' | 'existing' | 'resumed' | 'finished';
  /** The `seq` before the first event of this pass: where a live transcript begins. */
  readonly since: number;
  /** Settles when this process is done with the run: it is terminal, waits, is queued, or was stopped. */
  readonly finished: Promise<RunState>;
  /** Ends the run's processes in order and leaves it resumable. */
  stop(signal: 'SIGINT' | 'SIGTERM'): void;
}

export type RunRequest =
  | { readonly kind: 'cancel'; readonly comment: string | null; readonly key: string | null }
  | { readonly kind: 'pause'; readonly key: string | null }
  | {
      readonly kind: 'approve' | 'deny';
      /** Null: the one approval that is waited for. */
      readonly approval: string | null;
      readonly comment: string | null;
      readonly key: string | null;
    }
  | { readonly kind: 'signal'; readonly name: string; readonly payload: JsonValue; readonly key: string | null };

export interface RequestAnswer {
  readonly requestId: string;
  /** `done`: it is in the ledger; `pending`: the holder has been told and has not answered yet. */
  readonly state: 'done' | 'pending';
  readonly run: RunState;
}

export interface RunFilter {
  readonly states: readonly RunStateName[];
  readonly workflow: string | null;
  readonly task: string | null;
  readonly limit: number;
  readonly cursor: string | null;
}

export interface RunPage {
  /** Newest first. */
  readonly runs: readonly RunState[];
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
  readonly cases: readonly { readonly name: string; readonly passed: boolean; readonly message: string | null }[];
}

export interface RetentionReport {
  readonly dryRun: boolean;
  readonly tables: readonly {
    readonly table: string;
    readonly removed: number;
    readonly kept: number;
    readonly reason: string;
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
  openProgram(workspace: Workspace): Promise<Program>;
  /** Keeps an envelope of a failure; resolves with its `err_` id, or null when none could be kept. */
  report(error: unknown): Promise<string | null>;
  /** Starts this very program again, detached, with other arguments; resolves when it runs. */
  startInBackground(args: readonly string[]): Promise<{ readonly pid: number }>;
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
  /** Resolves when more may be written: a slow reader slows us down instead of filling memory. */
  write(text: string): Promise<void>;
}
