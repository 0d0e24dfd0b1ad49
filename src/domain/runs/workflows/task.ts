import { defineWorkflow } from '../../../contract/define.ts';
import { WaybillError } from '../../../contract/errors.ts';
import type { JsonObject, JsonValue } from '../../../contract/json.ts';
import type { AgentResult, RunContext } from '../../../contract/workflow.ts';
import { type TaskInput, type TaskOfRun, taskInputSchema } from './task-input.ts';
import { requireTestResult } from './test-result.ts';
import { readVerdict, type Verdict } from './verdict.ts';

/**
 * The built-in workflow `task`: implement, review until the reviewer approves, update the spec until its
 * maintainer is content; a request for changes goes back to the builder with its findings. Several tasks are
 * done in order, each in a scope of its own.
 */
export const taskWorkflow = defineWorkflow('task', { input: taskInputSchema }, async (run, input) => {
  const done: JsonObject[] = [];
  for (const task of input.tasks) {
    const only = input.tasks.length === 1;
    done.push(only ? await doTask(run, task, input) : await run.onTask(task.id, (each) => doTask(each, task, input)));
  }
  return { tasks: done };
});

async function doTask(run: RunContext, task: TaskOfRun, input: TaskInput): Promise<JsonObject> {
  const work = new TaskWork(run, task, input);
  await work.implement([]);
  await work.reviewUntilApproved();
  for (let specs = 1; ; specs++) {
    const spec = await work.updateSpec(specs);
    if (!spec.changesRequested) return work.summary(specs);
    work.assertMayContinue(specs, 'update_spec');
    await work.implement(spec.findings);
    await work.reviewUntilApproved();
  }
}

/** One task's way through the loop, with what the builder said last. */
class TaskWork {
  readonly #run: RunContext;
  readonly #task: TaskOfRun;
  readonly #input: TaskInput;
  #implementations = 0;
  #reviews = 0;
  #built: AgentResult | undefined;

  constructor(run: RunContext, task: TaskOfRun, input: TaskInput) {
    this.#run = run;
    this.#task = task;
    this.#input = input;
  }

  async implement(findings: readonly JsonValue[]): Promise<void> {
    this.#implementations += 1;
    const first = this.#implementations === 1;
    this.#built = await this.#run.agent(this.#input.roles.builder, {
      action: first ? 'implement' : 'implement_changes',
      inputs: { ...this.#brief(), iteration: this.#implementations, ...(first ? {} : { findings }) },
      expectedOutputs: this.#task.expectedOutputs,
      checks: this.#task.checks,
      accept: (outputs) => {
        requireTestResult(outputs, this.#input.allowedFailures);
        return undefined;
      },
    });
  }

  /** Review, and implement what the review asks for, until it approves. @throws WaybillError `max_iterations` */
  async reviewUntilApproved(): Promise<void> {
    for (let asked = 1; ; asked++) {
      const review = await this.#review();
      if (!review.changesRequested) return;
      this.assertMayContinue(asked, 'review');
      await this.implement(review.findings);
    }
  }

  async updateSpec(iteration: number): Promise<Verdict> {
    const result = await this.#run.agent(this.#input.roles.specMaintainer, {
      action: 'update_spec',
      inputs: { ...this.#brief(), iteration, built: this.#builtFacts() },
      accept: (outputs) => {
        readVerdict('update_spec', outputs);
        return undefined;
      },
    });
    return readVerdict('update_spec', result.outputs);
  }

  assertMayContinue(asked: number, action: string): void {
    if (asked < this.#input.maxIterations) return;
    throw new WaybillError('max_iterations', `${action} asked for changes ${asked} times for ${this.#task.id}`, {
      hint: 'Look at the findings with `waybill show RUN --receipts`; raise `maxIterations` or make the task smaller.',
      details: { task: this.#task.id, action, iterations: asked },
    });
  }

  summary(specUpdates: number): JsonObject {
    return { id: this.#task.id, implementations: this.#implementations, reviews: this.#reviews, specUpdates };
  }

  async #review(): Promise<Verdict> {
    this.#reviews += 1;
    const result = await this.#run.agent(this.#input.roles.reviewer, {
      action: 'review',
      inputs: { ...this.#brief(), iteration: this.#reviews, built: this.#builtFacts() },
      accept: (outputs) => {
        readVerdict('review', outputs);
        return undefined;
      },
    });
    return readVerdict('review', result.outputs);
  }

  #brief(): JsonObject {
    const { id, title, goal, inputs } = this.#task;
    return { id, title, goal, inputs };
  }

  #builtFacts(): JsonObject {
    return { outputs: this.#built?.outputs ?? {}, artifacts: this.#built?.artifacts ?? [] };
  }
}
