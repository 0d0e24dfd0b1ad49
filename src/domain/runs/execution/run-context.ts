import { randomUUID } from 'node:crypto';
import { WaybillError } from '../../../contract/errors.ts';
import { parseId } from '../../../contract/ids.ts';
import type { JsonValue } from '../../../contract/json.ts';
import type {
  AgentResult,
  AgentStep,
  ApprovalAnswer,
  ApprovalRequest,
  DecisionEngine,
  ExecResult,
  ExecStep,
  RunContext,
  StepContext,
  StepOptions,
} from '../../../contract/workflow.ts';
import { agentStep } from '../steps/agent-step.ts';
import { decideStep } from '../steps/decide-step.ts';
import { execStep } from '../steps/exec-step.ts';
import { functionStep } from '../steps/function-step.ts';
import type { StepPlace } from '../steps/step-place.ts';
import { toolStep } from '../steps/tool-step.ts';
import { waitStep } from '../steps/wait-step.ts';
import type { Execution } from './execution.ts';

/** The run as a workflow sees it, in one scope. Every call is a step. */
export class ScopedRun implements RunContext {
  readonly #execution: Execution;
  readonly #place: StepPlace;

  constructor(execution: Execution, place: StepPlace) {
    this.#execution = execution;
    this.#place = place;
  }

  get runId(): string {
    return this.#execution.run.runId;
  }

  get task(): string | null {
    return this.#place.task;
  }

  agent(agent: string, step: AgentStep): Promise<AgentResult> {
    return handled(agentStep(this.#execution, this.#place, agent, step));
  }

  exec(command: readonly [string, ...string[]], options: ExecStep = {}): Promise<ExecResult> {
    return handled(execStep(this.#execution, this.#place, command, options));
  }

  tool<T extends JsonValue>(tool: string, input: JsonValue): Promise<T> {
    return this.#typed<T>(toolStep(this.#execution, this.#place, tool, input));
  }

  step<T extends JsonValue>(
    name: string,
    inputs: JsonValue,
    fn: (context: StepContext) => T | Promise<T>,
    options?: StepOptions,
  ): Promise<T> {
    const what = { action: 'step', name, inputs, ...(options === undefined ? {} : { options }) };
    return this.#typed<T>(functionStep(this.#execution, this.#place, what, fn));
  }

  decide<I extends JsonValue, O extends JsonValue>(engine: DecisionEngine<I, O>, input: I): Promise<O> {
    return this.#typed<O>(decideStep(this.#execution, this.#place, engine, input));
  }

  approval(name: string, request: ApprovalRequest): Promise<ApprovalAnswer> {
    const { prompt, data } = request;
    const timeoutMs = request.timeoutMs ?? null;
    const inputs = { prompt, ...(data === undefined ? {} : { data }), timeoutMs };
    const spec = { ...this.#place, action: 'approval', name, inputs, timeoutMs } as const;
    return handled(waitStep(this.#execution, spec).then(approvalAnswer));
  }

  signal(name: string): Promise<JsonValue> {
    const spec = { ...this.#place, action: 'signal', name, inputs: {}, timeoutMs: null } as const;
    return handled(waitStep(this.#execution, spec));
  }

  sleep(name: string, milliseconds: number): Promise<void> {
    const spec = { ...this.#place, action: 'sleep', name, inputs: { milliseconds }, timeoutMs: milliseconds } as const;
    return handled(waitStep(this.#execution, spec).then(() => {}));
  }

  async each<I, T>(
    items: readonly I[],
    options: { readonly key: (item: I) => string; readonly concurrency?: number },
    fn: (item: I, run: RunContext) => Promise<T>,
  ): Promise<T[]> {
    const keys = items.map(options.key);
    const twice = keys.find((key, index) => keys.indexOf(key) !== index);
    if (twice !== undefined) {
      throw new WaybillError('invalid_argument', `run.each got two items with the key ${JSON.stringify(twice)}`, {
        hint: 'Return a key that is different for each item: it names the scope of its steps.',
      });
    }
    const results: T[] = [];
    // One iterator for all lanes: each takes the next item when it is done with its last.
    const queue = items.entries();
    const lane = async () => {
      for (const [index, item] of queue) {
        results[index] = await fn(item, this.inScope(`each:${keys[index]}`, this.#place.task));
      }
    };
    // What is no number counts as one: with no lane at all nothing would be done, and nobody would notice.
    const lanes = Math.min(Math.max(1, options.concurrency ?? items.length) || 1, items.length);
    await Promise.all(Array.from({ length: lanes }, lane));
    return results;
  }

  scope<T>(name: string, fn: (run: RunContext) => Promise<T>): Promise<T> {
    return fn(this.inScope(name, this.#place.task));
  }

  onTask<T>(task: string, fn: (run: RunContext) => Promise<T>): Promise<T> {
    return fn(this.inScope(task, parseId('task', task)));
  }

  /** The same run in one more scope, working on this task. */
  inScope(name: string, task: string | null): ScopedRun {
    return new ScopedRun(this.#execution, { scope: [...this.#place.scope, name], task });
  }

  now(): Promise<number> {
    return this.#typed<number>(
      functionStep(this.#execution, this.#place, { action: 'now', name: 'now', inputs: {} }, () =>
        Math.floor(this.#execution.engine.clock.now() / 1000),
      ),
    );
  }

  random(): Promise<number> {
    return this.#typed<number>(
      functionStep(this.#execution, this.#place, { action: 'random', name: 'random', inputs: {} }, () => Math.random()),
    );
  }

  uuid(): Promise<string> {
    return this.#typed<string>(
      functionStep(this.#execution, this.#place, { action: 'uuid', name: 'uuid', inputs: {} }, () => randomUUID()),
    );
  }

  /**
   * A recorded value is JSON by construction; that it has the type its function declares rests on the function
   * having returned it, now or before the crash, under the same key.
   */
  #typed<T extends JsonValue>(value: Promise<JsonValue>): Promise<T> {
    return handled(value.then((recorded) => recorded as T));
  }
}

/** A failed step nobody awaits must not end the process: it has its receipt, and the run goes on. */
function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

function approvalAnswer(value: JsonValue): ApprovalAnswer {
  if (value !== null && typeof value === 'object' && 'approved' in value && 'actor' in value) {
    const comment = 'comment' in value && typeof value.comment === 'string' ? value.comment : null;
    return { approved: value.approved === true, actor: String(value.actor), comment };
  }
  throw new WaybillError('store_corrupt', 'the receipt of an approval does not hold an answer');
}
