import type { JsonObject, JsonValue } from './json.ts';

/** How often and how fast a step is tried again after a retryable failure (full jitter). */
export interface RetryPolicy {
  /** Further attempts after the first; 0 is none. */
  readonly retries?: number;
  /** Upper bound of the first wait in milliseconds; doubles with each attempt. */
  readonly backoffMs?: number;
  readonly maxBackoffMs?: number;
}

/** What must hold after a step, whatever the agent says of itself. */
export type Check =
  | {
      readonly kind: 'command';
      readonly name: string;
      readonly command: readonly [string, ...string[]];
      readonly timeoutMs?: number | undefined;
    }
  | { readonly kind: 'file'; readonly name: string; readonly path: string; readonly digest?: string | undefined };

export interface AgentStep {
  /** What the agent is asked to do: `implement`, `review` ...; also the step's name unless `name` is given. */
  readonly action: string;
  readonly name?: string;
  readonly inputs?: JsonObject;
  /** Workspace paths the agent promises to produce; each must be claimed as an artifact and be there. */
  readonly expectedOutputs?: readonly string[];
  readonly deadlineMs?: number;
  readonly retry?: RetryPolicy;
  readonly checks?: readonly Check[];
  /** Refuses outputs: a returned text is why the step fails with `check_failed`; a thrown WaybillError keeps its code. */
  readonly accept?: (outputs: JsonObject) => string | undefined;
}

export type Artifact = {
  readonly path: string;
  readonly size: number;
  readonly digest: string;
};

export interface AgentResult {
  readonly outputs: JsonObject;
  readonly artifacts: readonly Artifact[];
}

export interface ExecStep {
  readonly name?: string;
  readonly cwd?: string;
  readonly stdin?: string;
  /** Further environment variables; names from the parent's environment are taken by `allowEnv`. */
  readonly env?: Readonly<Record<string, string>>;
  readonly allowEnv?: readonly string[];
  readonly deadlineMs?: number;
  readonly retry?: RetryPolicy;
  readonly expectedOutputs?: readonly string[];
  /** Exit codes that mean success; only 0 unless given. */
  readonly okExitCodes?: readonly number[];
}

export interface ExecResult {
  readonly exitCode: number;
  /** The first and last part of the output as text, at most 64 KiB each; the whole is kept as a blob when larger. */
  readonly stdout: string;
  readonly stderr: string;
  readonly artifacts: readonly Artifact[];
}

export interface StepOptions {
  readonly retry?: RetryPolicy;
  readonly deadlineMs?: number;
  /** Record the tree after it: for a function that changes files of the workspace. */
  readonly touchesWorkspace?: boolean;
}

export interface StepContext {
  readonly attempt: number;
  readonly idempotencyKey: string;
  readonly signal: AbortSignal;
}

export interface ApprovalRequest {
  readonly prompt: string;
  readonly data?: JsonObject;
  /** Without an answer by then the step fails with `approval_timeout`. */
  readonly timeoutMs?: number;
}

export interface ApprovalAnswer {
  readonly approved: boolean;
  readonly actor: string;
  readonly comment: string | null;
}

/** A pure, versioned function whose answer is recorded and can be replayed offline. */
export interface DecisionEngine<I extends JsonValue = JsonValue, O extends JsonValue = JsonValue> {
  readonly name: string;
  readonly version: string;
  readonly decide: (input: I) => O;
}

/**
 * What a workflow may do. Each call is a step: recorded once, returned from its receipt when the run is
 * resumed. Between steps a workflow must be deterministic: no clock, no randomness, no network of its own.
 */
export interface RunContext {
  readonly runId: string;
  /** The task at hand, when the run works on one. */
  readonly task: string | null;
  agent(agent: string, step: AgentStep): Promise<AgentResult>;
  exec(command: readonly [string, ...string[]], options?: ExecStep): Promise<ExecResult>;
  /**
   * Calls a tool described in `waybill.tools/`; the step is named after it. Gives its output, which fits its schema.
   * @throws StepError `invalid_input` with each problem's path, `tool_not_found`, `tool_invalid`, `tool_not_permitted`,
   * `tool_output_invalid`, `tool_output_too_large`, `step_timeout`, `process_*`
   */
  tool<T extends JsonValue = JsonValue>(tool: string, input: JsonValue): Promise<T>;
  step<T extends JsonValue>(
    name: string,
    inputs: JsonValue,
    fn: (context: StepContext) => T | Promise<T>,
    options?: StepOptions,
  ): Promise<T>;
  decide<I extends JsonValue, O extends JsonValue>(engine: DecisionEngine<I, O>, input: I): Promise<O>;
  approval(name: string, request: ApprovalRequest): Promise<ApprovalAnswer>;
  /** Waits for `waybill signal RUN NAME`; returns its payload. */
  signal(name: string): Promise<JsonValue>;
  sleep(name: string, milliseconds: number): Promise<void>;
  /** Runs `fn` once an item, concurrently, each in a scope of its own named by its key. */
  each<I, T>(
    items: readonly I[],
    options: { readonly key: (item: I) => string; readonly concurrency?: number },
    fn: (item: I, run: RunContext) => Promise<T>,
  ): Promise<T[]>;
  /** The same run working on one of its tasks, in a scope named after it. */
  onTask<T>(task: string, fn: (run: RunContext) => Promise<T>): Promise<T>;
  /** The same run seen through one more scope: steps of equal name in different scopes never meet. */
  scope<T>(name: string, fn: (run: RunContext) => Promise<T>): Promise<T>;
  /** Milliseconds since 1970, recorded. */
  now(): Promise<number>;
  /** A number in [0, 1), recorded. */
  random(): Promise<number>;
  uuid(): Promise<string>;
}

/** The schema of a workflow's input: anything with zod's `safeParse`; a Standard Schema needs no more. */
export interface InputSchema<I> {
  safeParse(
    value: unknown,
  ):
    | { success: true; data: I }
    | { success: false; error: { issues: readonly { path: readonly PropertyKey[]; message: string }[] } };
}

export interface WorkflowOptions<I> {
  readonly input?: InputSchema<I>;
  /** `list` (default): the tree's digests; `content`: its bytes too, so a fork can restore them; `none`. */
  readonly snapshot?: 'list' | 'content' | 'none';
  readonly version?: string;
}

export interface Workflow<I = unknown> {
  readonly name: string;
  readonly options: WorkflowOptions<I>;
  readonly fn: (run: RunContext, input: I) => Promise<JsonValue | undefined>;
}

/** A workflow whose input type has been forgotten: what a configuration lists and the engine runs. */
export interface AnyWorkflow {
  readonly name: string;
  readonly snapshot: 'list' | 'content' | 'none';
  readonly version: string | null;
  /** The text of its function, whose digest a run records. */
  readonly code?: string;
  /** Checks the input and starts the function. @throws WaybillError `invalid_input` with each problem's path. */
  start(run: RunContext, input: JsonValue): Promise<JsonValue | undefined>;
  /** The problems of an input, before anything is started. */
  problems(input: JsonValue): readonly { readonly path: string; readonly message: string }[];
}
