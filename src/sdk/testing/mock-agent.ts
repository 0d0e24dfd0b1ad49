import { spawn } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { agentProtocol, type CommandLine, checkAction } from '../../contract/agent-protocol.ts';
import { WaybillError } from '../../contract/errors.ts';
import type { JsonObject } from '../../contract/json.ts';
import type { Artifact } from '../../contract/workflow.ts';
import { AgentConnection } from '../agent/agent-connection.ts';
import { checkOutputs } from '../agent/check-action.ts';
import { claimArtifact } from '../agent/claim-artifact.ts';
import { KeptResults } from '../agent/kept-results.ts';
import { MockMemory } from './mock-memory.ts';
import { type MockAct, type MockScript, mockScriptSchema } from './mock-script.ts';

/**
 * Reads a script of the mock agent.
 * @throws WaybillError `invalid_input` with the path of what is wrong in it.
 */
export async function readMockScript(path: string): Promise<MockScript> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new WaybillError('invalid_input', `cannot read the mock agent's script ${path}: ${why}`, { cause: error });
  }
  const parsed = mockScriptSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new WaybillError('invalid_input', `${path}: ${issue?.path.map(String).join('.')}: ${issue?.message}`, {
    hint: 'See schemas/v1/mock-script.v1.json and the examples in fixtures/mock-agent/.',
  });
}

/**
 * `waybill mock-agent --script FILE`: an agent on standard input and output that does what its script says, the
 * forbidden things included. Ends when its input does, or by its script with `process.exit`.
 * Its memory lies in `$WAYBILL_AGENT_STATE`, else in `.waybill/agents/<name>/` of the workspace.
 */
export async function runMockAgent(scriptPath: string): Promise<void> {
  const script = await readMockScript(scriptPath);
  process.stdout.on('error', () => process.exit(1));
  await new MockAgent(script).run();
}

class MockAgent {
  readonly #script: MockScript;
  readonly #name: string;
  readonly #connection = new AgentConnection({
    input: process.stdin,
    output: process.stdout,
    environment: process.env,
  });
  #beats: NodeJS.Timeout | undefined;

  constructor(script: MockScript) {
    this.#script = script;
    this.#name = script.name ?? 'mock';
  }

  async run(): Promise<void> {
    const { start, hello, ready, version, dedupe, actions, heartbeatMs, afterwards } = this.#script;
    await this.#do(start ?? [], undefined);
    if (hello !== false) {
      await this.#connection.write({
        type: 'hello',
        protocol: agentProtocol,
        name: this.#name,
        version: version ?? '1.0.0',
        actions: [...Object.keys(actions ?? {}), checkAction],
        dedupe: dedupe ?? false,
        ...(heartbeatMs === undefined ? {} : { heartbeatMs }),
      });
    }
    if (heartbeatMs !== undefined) {
      this.#beats = setInterval(() => void this.#connection.write({ type: 'heartbeat' }), heartbeatMs / 2);
    }
    await this.#do(ready ?? [], undefined);
    for await (const command of this.#connection.commands()) {
      await this.#perform(command);
      await this.#do(afterwards ?? [], command);
    }
    clearInterval(this.#beats);
  }

  async #perform(command: CommandLine): Promise<void> {
    const { correlationId, workspace, runId, idempotencyKey } = command;
    const state = process.env.WAYBILL_AGENT_STATE ?? join(workspace, '.waybill', 'agents', this.#name);
    const results = this.#script.dedupe === true ? new KeptResults(state, workspace, runId) : undefined;
    const kept = await results?.find(idempotencyKey);
    if (kept !== undefined) return await this.#connection.write(completed(correlationId, kept.outputs, kept.artifacts));
    const sequences = Object.hasOwn(this.#script.actions ?? {}, command.action)
      ? this.#script.actions?.[command.action]
      : undefined;
    if (sequences === undefined && command.action === checkAction) {
      const outputs = checkOutputs(command.inputs, (bare) => JSON.stringify(completed(correlationId, bare, [])));
      await results?.keep(idempotencyKey, { outputs, artifacts: [] });
      return await this.#connection.write(completed(correlationId, outputs, []));
    }
    if (sequences === undefined) {
      return await this.#connection.write(
        failed(correlationId, 'unknown_action', `no action ${command.action} in the script`, false),
      );
    }
    const memory = new MockMemory(state);
    const place = await memory.place(command);
    await memory.executed(command, place);
    await this.#do(sequences[Math.min(place, sequences.length - 1)] ?? [], command, results);
  }

  async #do(acts: readonly MockAct[], command: CommandLine | undefined, results?: KeptResults): Promise<void> {
    for (const act of acts) {
      if (act.attempt === undefined || act.attempt === command?.attempt) await this.#act(act, command, results);
    }
  }

  async #act(act: MockAct, command: CommandLine | undefined, results: KeptResults | undefined): Promise<void> {
    const correlationId = command?.correlationId ?? '0'.repeat(32);
    const workspace = command?.workspace ?? process.cwd();
    switch (act.do) {
      case 'delay':
        await delay(act.ms);
        return;
      case 'log':
        for (let n = 0; n < (act.count ?? 1); n++) {
          await this.#connection.write({
            type: 'log',
            level: act.level ?? 'info',
            message: act.message,
            correlationId,
          });
        }
        return;
      case 'progress': {
        const data = act.data === undefined ? {} : { data: act.data };
        return await this.#connection.write({
          type: 'event',
          event: 'progress',
          correlationId,
          message: act.message,
          ...data,
        });
      }
      case 'write':
        await mkdir(dirname(join(workspace, act.path)), { recursive: true });
        return await writeFile(join(workspace, act.path), act.content);
      case 'edit': {
        const file = join(workspace, act.path);
        return await writeFile(
          file,
          (await readFile(file, 'utf8')).replaceAll(act.find, () => act.replace),
        );
      }
      case 'remove':
        return await rm(join(workspace, act.path), { recursive: true });
      case 'complete':
        return await this.#complete(act, correlationId, workspace, command, results);
      case 'error':
        return await this.#connection.write(failed(correlationId, act.code, act.message, act.retryable));
      case 'exit':
        return process.exit(act.code);
      case 'die':
        process.kill(process.pid, act.signal);
        return await forever();
      case 'silence':
        return await forever();
      case 'line':
        for (let n = 0; n < (act.count ?? 1); n++) await flow(streamOf(act.to), `${act.text}\n`);
        return;
      case 'bytes':
        return await writeBytes(streamOf(act.to), act.count);
      case 'stopHeartbeat':
        clearInterval(this.#beats);
        return;
      case 'ignoreSigterm':
        process.on('SIGTERM', () => {});
        return;
      case 'grandchild':
        spawn('sleep', [String(act.seconds)], {
          detached: act.daemon === true,
          stdio: act.holdsPipes === true ? ['ignore', 'inherit', 'inherit'] : 'ignore',
        }).unref();
    }
  }

  async #complete(
    act: Extract<MockAct, { do: 'complete' }>,
    correlationId: string,
    workspace: string,
    command: CommandLine | undefined,
    results: KeptResults | undefined,
  ): Promise<void> {
    const artifacts = await Promise.all((act.artifacts ?? []).map((path) => claimArtifact(workspace, path)));
    if (act.lie !== undefined) artifacts.push(await lie(act.lie, workspace));
    const answered = act.wrongCorrelation === true ? 'f'.repeat(32) : correlationId;
    const bare = act.outputs ?? {};
    const missing =
      act.lineBytes === undefined
        ? undefined
        : act.lineBytes - Buffer.byteLength(JSON.stringify(completed(answered, { ...bare, padding: '' }, artifacts)));
    const outputs = missing === undefined ? bare : { ...bare, padding: 'x'.repeat(missing) };
    if (command !== undefined) await results?.keep(command.idempotencyKey, { outputs, artifacts });
    // All at once, so that the peer must notice, and past the connection's own limit.
    const line = `${JSON.stringify(completed(answered, outputs, artifacts))}\n`;
    await this.#connection.writeRaw(line.repeat(act.times ?? 1));
  }
}

function completed(correlationId: string, outputs: JsonObject, artifacts: readonly Artifact[]): JsonObject {
  const claims = artifacts.map(({ path, size, digest }) => ({ path, size, digest }));
  return { type: 'event', event: 'completed', correlationId, outputs, artifacts: claims };
}

function failed(correlationId: string, code: string, message: string, retryable: boolean): JsonObject {
  return { type: 'event', event: 'error', correlationId, error: { code, message, retryable } };
}

async function lie(about: 'missing' | 'outside' | 'size' | 'digest', workspace: string): Promise<Artifact> {
  const nothing = { size: 0, digest: `sha256:${'0'.repeat(64)}` };
  if (about === 'missing') return { path: 'no-such-file.txt', ...nothing };
  if (about === 'outside') return { path: '../outside.txt', ...nothing };
  await writeFile(join(workspace, 'claimed.txt'), 'what is really there\n');
  const truth = await claimArtifact(workspace, 'claimed.txt');
  return about === 'size' ? { ...truth, size: truth.size + 1 } : { ...truth, digest: nothing.digest };
}

function streamOf(to: 'stdout' | 'stderr' | undefined): Writable {
  return to === 'stderr' ? process.stderr : process.stdout;
}

async function flow(stream: Writable, data: string | Uint8Array): Promise<void> {
  if (!stream.write(data)) await new Promise((resolve) => stream.once('drain', resolve));
}

async function writeBytes(stream: Writable, count: number): Promise<void> {
  const block = Buffer.alloc(65_536, 'x');
  for (let left = count; left > 0; left -= block.length)
    await flow(stream, block.subarray(0, Math.min(left, block.length)));
}

/** A timer keeps the process alive, which a bare promise would not. */
function forever(): Promise<never> {
  return new Promise(() => {
    setInterval(() => {}, 60_000);
  });
}
