import { WaybillError } from '../../../contract/errors.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../../contract/json.ts';
import type { Artifact } from '../../../contract/workflow.ts';
import { asStored } from '../../../platform/canonical-json/as-stored.ts';
import { canonicalJson } from '../../../platform/canonical-json/canonical-json.ts';
import type { Execution } from '../execution/execution.ts';
import type { Tool } from '../ports.ts';
import { keepArtifact } from './check-artifacts.ts';
import { exitFailure, runCommand } from './exec-step.ts';
import { bounded } from './function-step.ts';
import { recordedToolCall } from './recorded-tools.ts';
import { type Attempt, runStep, type StepResult } from './run-step.ts';
import { noRetry, type StepPlace } from './step-place.ts';
import { stepReference } from './step-reference.ts';
import { fittingOutput, inputMisfit } from './tool-fit.ts';
import { ToolOutput } from './tool-output.ts';
import { toolProgram } from './tool-program.ts';

/**
 * One call of a tool. The step records which description was used, and what has a receipt is answered from it
 * whatever became of the tool since. A call that was left half done is another matter: its key names the old
 * description, and with another one the run stops as with changed code (`nondeterministic_workflow`).
 */
export async function toolStep(
  execution: Execution,
  place: StepPlace,
  id: string,
  input: JsonValue,
): Promise<JsonValue> {
  execution.asked();
  const asked = { tool: id, input: execution.engine.redact.json(input).value };
  // Counted by what is asked, not by the description: a change of that must not look like another call.
  const step = stepReference(execution, { scope: place.scope, name: id }, asked);
  const spec = { ...place, action: 'tool', name: id, step, restarts: 0 } as const;
  const recorded = recordedToolCall(execution.replay, { task: place.task, step, asked });
  if (recorded !== undefined) {
    const { inputs, expectedOutputs } = recorded;
    const facts = { ...spec, inputs, expectedOutputs, retry: noRetry, touchesTree: false, inProcess: true };
    return outputsOf(runStep(execution, facts, async () => Promise.reject(new Error('a receipt was not found again'))));
  }
  const tool = await lookUp(execution, id);
  if (tool instanceof WaybillError) return refused(execution, { ...spec, inputs: { tool: id, input } }, tool);
  const { description, digests } = tool;
  const inputs = { tool: id, version: description.version, descriptionDigest: digests.description, input };
  const misfit = inputMisfit(tool, asked.input);
  if (misfit !== undefined) return refused(execution, { ...spec, inputs }, misfit);
  const facts = {
    ...spec,
    inputs,
    expectedOutputs: description.artifacts,
    retry: { ...noRetry, retries: description.retries },
    touchesTree: description.sideEffects === 'workspace',
    // Only what leaves nothing behind may begin and end in one commit.
    inProcess: description.kind === 'function' && description.sideEffects === 'none',
  };
  return outputsOf(runStep(execution, facts, (attempt) => perform(execution, attempt, tool)));
}

/** The tool, or why it cannot be used; what the machine cannot do ends the execution, as in any step. */
async function lookUp(execution: Execution, id: string): Promise<Tool | WaybillError> {
  try {
    return await execution.working(() => execution.engine.tools.find(id));
  } catch (error) {
    if (error instanceof WaybillError && error.exitCode !== 3) return error;
    execution.stop({ kind: 'error', error });
    throw error;
  }
}

/** A step that fails before anything runs: recorded like any other, so that the workflow sees the same when resumed. */
function refused(
  execution: Execution,
  spec: Pick<Parameters<typeof runStep>[1], 'action' | 'name' | 'scope' | 'task' | 'step' | 'restarts' | 'inputs'>,
  why: WaybillError,
): Promise<JsonValue> {
  const facts = { ...spec, expectedOutputs: [], retry: noRetry, touchesTree: false, inProcess: true };
  return outputsOf(runStep(execution, facts, () => Promise.reject(why)));
}

async function outputsOf(result: Promise<StepResult>): Promise<JsonValue> {
  return (await result).outputs;
}

async function perform(execution: Execution, attempt: Attempt, tool: Tool): Promise<StepResult> {
  const { engine } = execution;
  const { description } = tool;
  const given = inputOf(attempt);
  const output =
    description.kind === 'function' ? call(execution, attempt, tool, given) : run(execution, attempt, tool, given);
  const outputs = fittingOutput(tool, await output);
  const artifacts: Artifact[] = [];
  for (const path of description.artifacts) {
    artifacts.push(await keepArtifact(path, engine.workspace.root, engine.blobs));
  }
  return { outputs, artifacts };
}

/** A copy: a function that changes what it is given shall not change what is recorded. */
function inputOf(attempt: Attempt): JsonValue {
  const inputs: JsonObject = isJsonObject(attempt.inputs) ? attempt.inputs : {};
  return asStored(inputs.input ?? null);
}

async function call(execution: Execution, attempt: Attempt, tool: Tool, input: JsonValue): Promise<unknown> {
  const fn = await tool.load();
  const runId = execution.run.runId;
  const result: unknown = await bounded(attempt, tool.description.timeoutMs, (context) =>
    fn(input, { runId, ...context }),
  );
  return result ?? null;
}

async function run(execution: Execution, attempt: Attempt, tool: Tool, input: JsonValue): Promise<unknown> {
  const { engine } = execution;
  const { id, allowEnv, timeoutMs } = tool.description;
  const argv = await commandLine(engine.workspace.root, tool);
  const output = new ToolOutput(id);
  const result = await runCommand(execution, attempt, {
    argv,
    stdin: `${canonicalJson(input)}\n`,
    env: engine.environment({ allow: allowEnv, set: { WAYBILL_TOOL: id, WAYBILL_TOOL_FOLDER: tool.folder } }),
    deadlineMs: timeoutMs,
    onStdout: (bytes) => output.add(bytes),
  });
  if (result.exitCode !== 0) throw exitFailure(execution, argv[0], result);
  return output.parse();
}

async function commandLine(root: string, tool: Tool): Promise<readonly [string, ...string[]]> {
  const [program = '', ...rest] = tool.description.command ?? [];
  try {
    return [await toolProgram(root, tool.folder, program), ...rest];
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new WaybillError('process_spawn_failed', `the tool "${tool.description.id}" cannot be started: ${why}`, {
      details: { program, retryable: false },
      cause,
    });
  }
}
