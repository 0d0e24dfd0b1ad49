import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { dirname, join } from 'node:path';
import { repoRoles, workspaceRoles } from '../../../contract/api/role.ts';
import { type ConfigurationInput, parseConfiguration } from '../../../contract/configuration.ts';
import type { ToolDescriptionInput } from '../../../contract/tool.ts';
import { buildRegistry } from '../../../domain/registry/build-registry.ts';
import { queueCounts } from '../../../domain/runs/queue/queue-counts.ts';
import { submitRun } from '../../../domain/runs/queue/submit-run.ts';
import {
  openTestWorld,
  type TestProcess,
  type TestWorld,
  type TestWorldOptions,
} from '../../../domain/runs/testing/engine.ts';
import { toolWorkflow } from '../../../domain/runs/workflows/tool.ts';
import { allMigrations } from '../../../domain/workspace/all-migrations.ts';
import { openTokens } from '../../../domain/workspace/tokens/open-tokens.ts';
import type { WantedToken } from '../../../domain/workspace/tokens/tokens.ts';
import { createToolCatalog } from '../../../domain/workspace/tools/tool-catalog.ts';
import { createFolderBlobs } from '../../../platform/blobs/folder-blobs.ts';
import type { Span } from '../../../platform/correlation/span.ts';
import { ErrorCapture } from '../../../platform/envelopes/capture.ts';
import type { ErrorStore } from '../../../platform/envelopes/error-store.ts';
import { openErrorStore } from '../../../platform/envelopes/open-error-store.ts';
import { createRedactor } from '../../../platform/redaction/redactor.ts';
import { openSqliteStore } from '../../../platform/store/sqlite/open.ts';
import type { HttpParts, HttpServer, ListenOptions } from '../http-parts.ts';
import { startHttpServer } from '../http-server.ts';

export interface TestServerOptions extends Pick<TestWorldOptions, 'workflows' | 'agents' | 'openStore'> {
  /** Tools of the kind `function`, by id; the text is the module. `echo` is always there and answers its input. */
  readonly tools?: Readonly<Record<string, { readonly source: string } & Partial<ToolDescriptionInput>>>;
  readonly configuration?: ConfigurationInput;
  /** False leaves submitted runs in the queue; otherwise each is begun at once, in this process. */
  readonly works?: boolean;
  /** A free port on loopback unless given. */
  readonly listen?: ListenOptions;
  /** Changes what the server is given. */
  readonly parts?: (parts: HttpParts) => Partial<HttpParts>;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** What the text says; undefined when it is no JSON. */
  readonly json: unknown;
}

/** One a role of the workspace, one a role in the repo `local`, and an admin of another repo. */
export const testTokens = [
  ...workspaceRoles,
  ...repoRoles.map((role) => `repo-${role}` as const),
  'elsewhere',
] as const;
export type TestToken = (typeof testTokens)[number];

export interface AskOptions {
  /** Whose token is sent; the runner's unless given, none for null. */
  readonly as?: TestToken | null;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface TestServer extends AsyncDisposable {
  readonly server: HttpServer;
  readonly parts: HttpParts;
  readonly process: TestProcess;
  readonly world: TestWorld;
  readonly errorStore: ErrorStore;
  /** A valid token of this name; those of repos are made when they are first asked for. */
  token(name: TestToken): Promise<string>;
  readonly spans: readonly Span[];
  ask(method: string, path: string, options?: AskOptions): Promise<Answer>;
  /** Ends this process as SIGKILL does, and starts another one on the same store. */
  restart(): Promise<void>;
}

const echo = { source: 'export default (input) => input;' };

/** The real server over a real socket, on a test world: real store, tokens, tools and envelopes. */
export async function openTestServer(options: TestServerOptions = {}): Promise<TestServer> {
  const { agents = {}, workflows = [] } = options;
  const box: { world?: TestWorld } = {};
  const openStore =
    options.openStore ?? (() => openSqliteStore({ path: box.world?.databasePath ?? '', migrations: allMigrations() }));
  const world = await openTestWorld({ agents, openStore, workflows: [toolWorkflow, ...workflows] });
  box.world = world;
  await writeTools(world.root, { echo, ...options.tools });
  let now = await startDaemon(world, options);
  const made = new Map<TestToken, Promise<string>>();
  const token = (name: TestToken): Promise<string> => {
    const known = made.get(name) ?? makeTestToken(now.parts, name);
    made.set(name, known);
    return known;
  };
  for (const role of workspaceRoles) await token(role);
  return {
    get server() {
      return now.server;
    },
    get parts() {
      return now.parts;
    },
    get process() {
      return now.process;
    },
    get errorStore() {
      return now.errorStore;
    },
    get spans() {
      return now.spans;
    },
    world,
    token,
    ask: async (method, path, asked = {}) => {
      const as = asked.as === undefined ? 'runner' : asked.as;
      return ask(now.server, method, path, as === null ? null : await token(as), asked);
    },
    restart: async () => {
      now.process.die();
      await now.server.close(0);
      now = await startDaemon(world, options);
    },
    [Symbol.asyncDispose]: async () => {
      await now.server.close(1_000);
      await world[Symbol.asyncDispose]();
    },
  };
}

async function makeTestToken({ tokens, engine }: HttpParts, name: TestToken): Promise<string> {
  if (name === 'elsewhere') {
    const repo = { key: 'elsewhere', description: 'Another repo.', created_at: 0, created_by: 'test' };
    await engine.store.write(async (tx) => void (await tx.db.insertInto('repo').values(repo).execute()));
  }
  return (await tokens.make({ name: `the-${name}`, ...rightsOf(name) }, 'test')).token;
}

function rightsOf(name: TestToken): Pick<WantedToken, 'role' | 'repos'> {
  if (name === 'elsewhere') return { repos: [{ repo: name, role: 'admin' }] };
  const role = workspaceRoles.find((each) => each === name);
  if (role !== undefined) return { role };
  return { repos: repoRoles.filter((each) => name === `repo-${each}`).map((each) => ({ repo: 'local', role: each })) };
}

/** One process with everything a daemon has but a worker: runs are begun by whoever submits them. */
async function startDaemon(world: TestWorld, options: TestServerOptions) {
  const { works = true, listen = { socket: null, port: 0 } } = options;
  const configuration = parseConfiguration(options.configuration ?? {});
  const { maxQueue } = configuration.daemon;
  const workspace = { root: world.root, configurationPath: null };
  const tools = createToolCatalog(workspace, configuration);
  const process = await world.start({ tools });
  const { engine, runs } = process;
  const errors = new ErrorCapture({
    workspaceId: 'ws_test',
    release: 'test',
    inputKey: randomBytes(32),
    redactor: createRedactor('envelope'),
    spoolFolder: join(world.data, 'spool'),
  });
  const errorStore = openErrorStore(engine.store, 'ws_test');
  await errors.attach(errorStore);
  const spans: Span[] = [];
  const given: HttpParts = {
    engine,
    workspace,
    configuration,
    tools,
    tokens: openTokens(engine.store, engine.clock),
    registry: buildRegistry({
      store: engine.store,
      clock: engine.clock,
      host: engine.host,
      blobs: createFolderBlobs(join(world.data, 'blobs')),
      settings: configuration.registry,
    }),
    webhooks: {
      store: engine.store,
      clock: engine.clock,
      settings: configuration.webhooks,
      key: randomBytes(32),
      source: 'urn:waybill:ws_test',
      // Nothing leaves a test of routes; what may be told is the executor's to say.
      port: {
        check: async (url) => new URL(url).href,
        send: async () => ({ how: 'answered', status: 204, retryAfterMs: null }),
      },
    },
    submit: async (request) => {
      const submitted = await submitRun(engine, { maxQueue }, request, { hold: works });
      // As the worker does: whoever submits does not wait for the work.
      if (submitted.claimed !== null) void runs.work(submitted.claimed).catch(() => {});
      return submitted;
    },
    readiness: async () => {
      await queueCounts(engine.store);
      return { ready: true, dependencies: [{ name: 'store', ready: true, reason: null }] };
    },
    worker: () => ({ held: 0, draining: false }),
    errors,
    spans: { record: (span) => void spans.push(span) },
    version: '0.0.0-test',
  };
  const parts = { ...given, ...options.parts?.(given) };
  return { parts, process, errorStore, spans, server: await startHttpServer(parts, listen) };
}

async function writeTools(root: string, tools: NonNullable<TestServerOptions['tools']>): Promise<void> {
  for (const [id, { source, ...rest }] of Object.entries(tools)) {
    const description: ToolDescriptionInput = {
      schema: 'waybill.tool.v1',
      id,
      version: '1',
      title: id,
      description: `The tool ${id}.`,
      kind: 'function',
      module: 'main.js',
      inputSchema: true,
      outputSchema: true,
      sideEffects: 'none',
      ...rest,
    };
    const file = join(root, 'waybill.tools', id, 'tool.json');
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, JSON.stringify(description));
    await writeFile(join(dirname(file), 'main.js'), source);
  }
}

/** One request on a connection of its own; text bodies are sent as they are. */
function ask(
  { url, socket }: HttpServer,
  method: string,
  path: string,
  token: string | null,
  { body, headers }: AskOptions,
): Promise<Answer> {
  const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
  const where = url === null ? { socketPath: socket ?? '', host: 'localhost' } : { port: new URL(url).port };
  return new Promise((resolve, reject) => {
    const sent = httpRequest(
      {
        ...where,
        method,
        path,
        agent: false,
        headers: {
          ...(token === null ? {} : { authorization: `Bearer ${token}` }),
          ...(text === undefined
            ? {}
            : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
          ...headers,
        },
      },
      (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.once('error', reject);
        answer.once('end', () => {
          const all = Buffer.concat(chunks).toString('utf8');
          resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text: all, json: jsonOf(all) });
        });
      },
    );
    sent.once('error', reject);
    sent.end(text);
  });
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
