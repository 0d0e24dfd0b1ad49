import { WaybillError } from '../../../contract/errors.ts';
import { parseId } from '../../../contract/ids.ts';
import type { JsonObject } from '../../../contract/json.ts';
import type { AgentResult, AgentStep, Check } from '../../../contract/workflow.ts';
import { childSpan, currentCorrelation } from '../../../platform/correlation/correlation.ts';
import { makeJsonWellFormed, makeWellFormed } from '../../../platform/files/make-well-formed.ts';
import type { Execution } from '../execution/execution.ts';
import type { AgentCommand, AgentNote } from '../ports.ts';
import { checkClaims, keepArtifact } from './check-artifacts.ts';
import { runCommand } from './exec-step.ts';
import { type Attempt, runStep, type StepResult } from './run-step.ts';
import { defaultDeadlineMs, retryPolicy, type StepPlace } from './step-place.ts';

/** One command to an agent: sent, answered, and held against what it claims and what the workflow declares. */
export async function agentStep(
  execution: Execution,
  place: StepPlace,
  agent: string,
  step: AgentStep,
): Promise<AgentResult> {
  const settings = execution.sessions.settings(agent);
  const result = await runStep(
    execution,
    {
      ...place,
      action: step.action,
      name: step.name ?? step.action,
      inputs: step.inputs ?? {},
      expectedOutputs: step.expectedOutputs ?? [],
      retry: retryPolicy(step.retry, settings),
      restarts: settings.restarts,
      touchesTree: true,
      inProcess: false,
    },
    (attempt) => perform(execution, place, attempt, agent, step),
  );
  return { outputs: objectOf(result), artifacts: result.artifacts };
}

async function perform(
  execution: Execution,
  place: StepPlace,
  attempt: Attempt,
  agent: string,
  step: AgentStep,
): Promise<StepResult> {
  const { engine, run, sessions } = execution;
  const lease = await sessions.acquire(agent, (note) => keepNote(execution, attempt, agent, note), attempt.signal);
  try {
    if (attempt.resent && !lease.session.agent.dedupe) {
      await attempt.note('agent.log', {
        agent,
        level: 'warning',
        message:
          'this command may have been sent before, and the agent does not remember keys: it may do the work twice',
        resentWithoutDedupe: true,
      });
    }
    const command: AgentCommand = {
      idempotencyKey: attempt.idempotencyKey,
      runId: run.runId,
      task: place.task,
      step: attempt.display,
      attempt: attempt.number,
      resent: attempt.resent,
      action: step.action,
      inputs: objectOf({ outputs: attempt.inputs, artifacts: [] }),
      expectedOutputs: step.expectedOutputs ?? [],
      snapshot:
        run.snapshot === null ? null : { id: parseId('snapshot', run.snapshot.id), digest: run.snapshot.digest },
    };
    const deadlineMs = step.deadlineMs ?? sessions.settings(agent).deadlineMs;
    const send = () => lease.session.send(command, { deadlineMs, signal: attempt.signal });
    const answer = await (currentCorrelation() === undefined ? send() : childSpan(`${agent} ${step.action}`, send));
    const artifacts = await checkClaims(
      answer.artifacts,
      step.expectedOutputs ?? [],
      engine.workspace.root,
      engine.blobs,
    );
    const outputs = engine.redact.json(makeJsonWellFormed(answer.outputs).value).value;
    const result = { outputs, artifacts };
    accept(step, result);
    await runChecks(execution, attempt, step.checks ?? []);
    return result;
  } finally {
    await lease.release();
  }
}

function accept(step: AgentStep, result: StepResult): void {
  const reason: unknown = step.accept?.(objectOf(result));
  // An async one would accept everything, and its rejection would be nobody's.
  if (reason instanceof Promise) {
    reason.catch(() => {});
    throw new WaybillError('check_failed', `\`accept\` of ${step.action} returned a promise`, {
      hint: 'It looks at the outputs and answers at once. What takes time is a step of its own, or one of `checks`.',
      details: { retryable: false },
    });
  }
  if (reason !== undefined) {
    throw new WaybillError('check_failed', `the answer to ${step.action} was not accepted: ${reason}`, {
      details: { retryable: false },
    });
  }
}

/** A turn that ended is not a step that is done: the declared checks decide. */
async function runChecks(execution: Execution, attempt: Attempt, checks: readonly Check[]): Promise<void> {
  const { engine } = execution;
  for (const check of checks) {
    if (check.kind === 'file') {
      const file = await keepArtifact(check.path, engine.workspace.root, engine.blobs);
      if (check.digest !== undefined && check.digest !== file.digest) {
        throw checkFailed(check.name, `${check.path} is ${file.digest}, expected ${check.digest}`);
      }
      continue;
    }
    const result = await runCommand(execution, attempt, {
      argv: check.command,
      env: engine.environment({ allow: [], set: {} }),
      deadlineMs: check.timeoutMs ?? defaultDeadlineMs,
    });
    if (result.exitCode !== 0)
      throw checkFailed(check.name, `${check.command[0]} ended with exit code ${result.exitCode}`);
  }
}

function checkFailed(name: string, what: string): WaybillError {
  return new WaybillError('check_failed', `the check "${name}" is not met: ${what}`, {
    details: { check: name, retryable: true },
  });
}

async function keepNote(execution: Execution, attempt: Attempt, agent: string, note: AgentNote): Promise<void> {
  const { redact } = execution.engine;
  const message = redact.text(makeWellFormed(note.message).value).text;
  await attempt.note(note.kind === 'progress' ? 'agent.progress' : 'agent.log', {
    agent,
    level: note.level,
    message,
    ...(note.kind === 'stderr' ? { stream: 'stderr' } : {}),
    ...(note.data === undefined ? {} : { data: redact.json(makeJsonWellFormed(note.data).value).value }),
    ...(note.dropped === undefined ? {} : { dropped: note.dropped }),
  });
}

function objectOf(result: StepResult): JsonObject {
  const { outputs } = result;
  if (outputs !== null && typeof outputs === 'object' && !isList(outputs)) return outputs;
  throw new WaybillError('store_corrupt', 'a value that must be a JSON object is none');
}

function isList(value: object): value is readonly unknown[] {
  return Array.isArray(value);
}
