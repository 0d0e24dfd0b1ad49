import { WaybillError } from '../../../contract/errors.ts';
import type { JsonObject } from '../../../contract/json.ts';
import type { Artifact, ExecResult, ExecStep } from '../../../contract/workflow.ts';
import { currentTraceparent } from '../../../platform/correlation/correlation.ts';
import { resolveInside } from '../../../platform/files/safe-path.ts';
import { randomHex } from '../../../platform/ids/make-id.ts';
import { createStreamRedactor } from '../../../platform/redaction/stream-redactor.ts';
import type { Execution } from '../execution/execution.ts';
import type { CommandResult, KillReport, ProcessIdentity } from '../ports.ts';
import { forget, processEnded, processStarted } from './agent-sessions.ts';
import { keepArtifact } from './check-artifacts.ts';
import { type Attempt, runStep, type StepResult } from './run-step.ts';
import { defaultDeadlineMs, defaultGraceMs, noRetry, retryPolicy, type StepPlace } from './step-place.ts';

/** Characters of output one command may put into the ledger. */
const mostOutput = 4 * 1024 * 1024;

/** One command, run to its end in a process tree of its own. */
export async function execStep(
  execution: Execution,
  place: StepPlace,
  command: readonly [string, ...string[]],
  options: ExecStep,
): Promise<ExecResult> {
  assertCommand(command);
  const inputs: JsonObject = {
    command,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.stdin === undefined ? {} : { stdin: options.stdin }),
    ...(options.env === undefined ? {} : { env: options.env }),
    ...(options.okExitCodes === undefined ? {} : { okExitCodes: options.okExitCodes }),
  };
  const result = await runStep(
    execution,
    {
      ...place,
      action: 'exec',
      name: options.name ?? nameOf(command[0]),
      inputs,
      expectedOutputs: options.expectedOutputs ?? [],
      retry: retryPolicy(options.retry, noRetry),
      restarts: 0,
      touchesTree: true,
      inProcess: false,
    },
    (attempt) => perform(execution, attempt, command, options),
  );
  return toExecResult(result);
}

async function perform(
  execution: Execution,
  attempt: Attempt,
  command: readonly [string, ...string[]],
  options: ExecStep,
): Promise<StepResult> {
  const { engine } = execution;
  const result = await runCommand(execution, attempt, {
    argv: command,
    cwd: options.cwd,
    stdin: options.stdin,
    env: engine.environment({ allow: options.allowEnv ?? [], set: options.env ?? {} }),
    deadlineMs: options.deadlineMs ?? defaultDeadlineMs,
  });
  const ok = options.okExitCodes ?? [0];
  if (!ok.includes(result.exitCode)) throw exitFailure(execution, command[0], result);
  const artifacts: Artifact[] = [];
  for (const path of options.expectedOutputs ?? []) {
    artifacts.push(await keepArtifact(path, engine.workspace.root, engine.blobs));
  }
  return {
    outputs: {
      exitCode: result.exitCode,
      stdout: result.stdout.text,
      stderr: result.stderr.text,
      stdoutBytes: result.stdout.bytes,
      stdoutDigest: result.stdout.digest,
      stderrBytes: result.stderr.bytes,
      stderrDigest: result.stderr.digest,
    },
    artifacts,
  };
}

/** What an exit code that does not mean success is told as. */
export function exitFailure({ engine }: Execution, program: string, result: CommandResult): WaybillError {
  // Redacted before it is cut: half a secret is not recognized as one.
  const last = engine.redact.text(result.stderr.text.trimEnd()).text.slice(-500).toWellFormed();
  return new WaybillError('process_exit', `${program} ended with exit code ${result.exitCode}`, {
    hint: 'Read its output with `waybill events RUN`.',
    details: { exitCode: result.exitCode, stderr: last, retryable: true },
  });
}

/** Runs a command as part of an attempt: its process is durable before it begins, and proven gone at the end. */
export async function runCommand(
  execution: Execution,
  attempt: Attempt,
  what: {
    readonly argv: readonly [string, ...string[]];
    readonly cwd?: string | undefined;
    readonly stdin?: string | undefined;
    readonly env: Readonly<Record<string, string>>;
    readonly deadlineMs: number;
    /** Takes the standard output as it is; then it is no part of the ledger. What it throws ends the command. */
    readonly onStdout?: (bytes: Uint8Array) => void;
  },
): Promise<CommandResult> {
  const { engine, run } = execution;
  const marker = `${run.runId}.${randomHex(8)}`;
  const traceparent = currentTraceparent();
  const started: { identity: ProcessIdentity | null; gone: KillReport | null } = { identity: null, gone: null };
  const told = { characters: 0, ended: false };
  const redacted = { stdout: createStreamRedactor(engine.redact), stderr: createStreamRedactor(engine.redact) };
  try {
    return await engine.commands.run(
      {
        argv: what.argv,
        cwd: what.cwd === undefined ? engine.workspace.root : await resolveInside(engine.workspace.root, what.cwd),
        env: {
          ...what.env,
          // The request this work came from, so that what the command calls is part of the same tree.
          ...(traceparent === null ? {} : { TRACEPARENT: traceparent }),
          WAYBILL_RUN_ID: run.runId,
          WAYBILL_IDEMPOTENCY_KEY: attempt.idempotencyKey,
        },
        marker,
      },
      {
        ...(what.stdin === undefined ? {} : { stdin: what.stdin }),
        deadlineMs: what.deadlineMs,
        graceMs: defaultGraceMs,
        signal: attempt.signal,
        onStart: async (identity) => {
          started.identity = identity;
          const { events, also } = processStarted(run.runId, what.argv[0], identity, engine.clock.now());
          for (const event of events) await attempt.note(event.type, event.data, also);
        },
        onGone: (report) => {
          started.gone = report;
          execution.gone.push(report);
        },
        ...(what.onStdout === undefined ? {} : { onStdout: what.onStdout }),
        onOutput: async (text, stream) => {
          if (told.ended || (stream === 'stdout' && what.onStdout !== undefined)) return;
          told.characters += text.length;
          told.ended = told.characters > mostOutput;
          const rest = told.ended ? { more: 'the rest is not in the ledger; the receipt has its size and digest' } : {};
          const line = redacted[stream].add(text);
          if (line !== '' || told.ended) await attempt.note('process.output', { stream, text: line, ...rest });
        },
      },
    );
  } finally {
    for (const stream of ['stdout', 'stderr'] as const) {
      const text = told.ended ? '' : redacted[stream].end();
      const { step, number } = attempt;
      if (text !== '') attempt.atEnd([{ type: 'process.output', step, attempt: number, data: { stream, text } }], []);
    }
    if (started.identity !== null && started.gone !== null) {
      attempt.atEnd([processEnded(what.argv[0], started.identity, started.gone)], [forget(marker)]);
    }
  }
}

function toExecResult(result: StepResult): ExecResult {
  const outputs = result.outputs;
  if (outputs === null || typeof outputs !== 'object' || Array.isArray(outputs) || !('exitCode' in outputs)) {
    throw new WaybillError('store_corrupt', 'the receipt of a command does not hold the result of a command');
  }
  const { exitCode, stdout, stderr } = outputs;
  return {
    exitCode: typeof exitCode === 'number' ? exitCode : -1,
    stdout: typeof stdout === 'string' ? stdout : '',
    stderr: typeof stderr === 'string' ? stderr : '',
    artifacts: result.artifacts,
  };
}

/** Node looks at no types: a text would be taken apart into its characters. */
function assertCommand(command: readonly string[]): void {
  if (Array.isArray(command) && command.length > 0 && command.every((part) => typeof part === 'string')) return;
  throw new WaybillError('invalid_argument', 'run.exec takes a list of texts: the program and its arguments', {
    hint: "For a line of shell write run.exec(['sh', '-c', line]).",
  });
}

/** `npm` for `/usr/bin/npm`: a step is named after the program. */
function nameOf(program: string): string {
  return program.split('/').at(-1) || program;
}
