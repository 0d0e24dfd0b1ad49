import { readdirSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { WaybillError } from '../../../contract/errors.ts';
import type { Digest } from '../../../contract/ids.ts';
import type { AnyWorkflow } from '../../../contract/workflow.ts';
import { createFolderBlobs } from '../../../platform/blobs/folder-blobs.ts';
import { type Clock, systemClock } from '../../../platform/clock/clock.ts';
import { digestOf } from '../../../platform/digests/digest.ts';
import { envelopeMigrations } from '../../../platform/envelopes/migrations.ts';
import { makeId, randomHex } from '../../../platform/ids/make-id.ts';
import { snapshotIdOf } from '../../../platform/ids/snapshot-id.ts';
import { journalMigrations } from '../../../platform/journal/migrations.ts';
import { createRedactor } from '../../../platform/redaction/redactor.ts';
import type { Migration } from '../../../platform/store/migrations.ts';
import { openSqliteStore } from '../../../platform/store/sqlite/open.ts';
import type { Store } from '../../../platform/store/store.ts';
import type { Engine, FailureReport } from '../engine.ts';
import { LeaseKeeper } from '../lease/lease-keeper.ts';
import { runMigrations } from '../migrations.ts';
import type {
  AgentPort,
  AgentSettings,
  CheckoutPort,
  CommandPort,
  HostPort,
  Snapshot,
  SnapshotEntry,
  ToolPort,
} from '../ports.ts';
import { Runs } from '../runs.ts';
import { snapshotDigest } from '../snapshots/differences.ts';

/** All tables a run touches, for tests that open a store of their own. */
export function runTables(): readonly Migration[] {
  return [...envelopeMigrations(), ...journalMigrations(), ...runMigrations()];
}

export interface TestWorldOptions {
  readonly workflows?: readonly AnyWorkflow[];
  /** In-process agents, by name; further settings by `agentSettings`. */
  readonly agents?: Readonly<Record<string, NonNullable<AgentSettings['handler']>>>;
  readonly agentSettings?: Partial<AgentSettings>;
  /** What `run.exec` does; without it every command fails to start. */
  readonly command?: CommandPort['run'];
  /** The tools there are; without it every one is unknown. */
  readonly tools?: ToolPort;
  /** Facts about the checkout; nothing but a name unless given. */
  readonly checkout?: CheckoutPort;
  /** What of this process's environment reaches a command; nothing unless given. */
  readonly environment?: Engine['environment'];
  /** What the machine of the process is called, hashed. */
  readonly hostHash?: Digest;
  readonly clock?: Clock;
  /** Who holds leases; without it a process of this world, which lives until it dies. */
  readonly host?: HostPort;
  /** Tables of further features, for the store in the world's folder. */
  readonly migrations?: readonly Migration[];
  /** Opens the store; a SQLite file in the world's folder unless given. Called once a process. */
  readonly openStore?: () => Promise<Store>;
}

/** One process of a test world: an engine of its own on the store all of them share. */
export interface TestProcess {
  readonly engine: Engine;
  readonly runs: Runs;
  /** Failures the engine reported. */
  readonly failures: FailureReport[];
  /** Ends as SIGKILL ends a process: from now on it reads and writes nothing, and its leases are a dead holder's. */
  die(): void;
}

/** A workspace in a temporary folder, and the processes that work on its runs. */
export interface TestWorld extends AsyncDisposable {
  /** Data folder: store, blobs, evidence files. */
  readonly data: string;
  /** The workspace's tree: real files. */
  readonly root: string;
  readonly databasePath: string;
  /** Starts one more process, with other workflows if given: a later version of the code. */
  start(changes?: Pick<TestWorldOptions, 'workflows' | 'agents' | 'command' | 'tools'>): Promise<TestProcess>;
}

/**
 * The run engine as a test wants it: real store, ledger, leases and blobs; agents and commands are functions, and
 * processes die when the test says so. Nothing outside a temporary folder is touched.
 */
export async function openTestWorld(options: TestWorldOptions = {}): Promise<TestWorld> {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-runs-'));
  const [data, root] = [join(folder, 'data'), join(folder, 'tree')];
  await mkdir(data);
  await mkdir(root);
  const databasePath = join(data, 'waybill.db');
  const migrations = [...runTables(), ...(options.migrations ?? [])];
  const openStore = options.openStore ?? (() => openSqliteStore({ path: databasePath, migrations }));
  const living = new Set<string>();
  const stores: Store[] = [];
  return {
    data,
    root,
    databasePath,
    start: async (changes) => {
      const store = await openStore();
      stores.push(store);
      return startProcess({ ...options, ...changes }, { data, root, living, store });
    },
    [Symbol.asyncDispose]: async () => {
      for (const store of stores) await store.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

interface Place {
  readonly data: string;
  readonly root: string;
  readonly living: Set<string>;
  readonly store: Store;
}

function startProcess(options: TestWorldOptions, { data, root, living, store }: Place): TestProcess {
  const clock = options.clock ?? systemClock;
  const instance = randomHex(8);
  living.add(instance);
  const mortal = mortalStore(store);
  const failures: FailureReport[] = [];
  const unknown = { known: false, reason: 'not a checkout' } as const;
  const host: HostPort = options.host ?? {
    self: { pid: process.pid, startTime: '1', bootId: 'test-boot', host: 'test-host', instance },
    liveness: (holder) => (living.has(holder.instance) ? 'alive' : 'dead'),
  };
  const engine: Engine = {
    store: mortal.store,
    clock,
    host,
    processes: {
      containment: { how: 'contained', means: 'test' },
      start: async () => {
        throw new WaybillError('process_spawn_failed', 'a test world starts no processes');
      },
      killLeftovers: async () => ({ how: 'contained', signaled: 0, left: 0 }),
    },
    commands: { run: options.command ?? noCommand },
    agents: functionAgents,
    snapshots: { capture: async () => captureFolder(root) },
    checkout: options.checkout ?? {
      facts: async () => ({
        name: { known: true, value: 'test' },
        remote: unknown,
        commit: unknown,
        branch: unknown,
        dirty: unknown,
        readAt: clock.now(),
      }),
    },
    tools: options.tools ?? noTools,
    hostHash: options.hostHash ?? null,
    blobs: createFolderBlobs(join(data, 'blobs')),
    redact: createRedactor('ledger'),
    environment: options.environment ?? (() => ({})),
    leases: new LeaseKeeper(mortal.store, clock),
    workspace: { root, configDigest: null, snapshot: { include: [], exclude: [] } },
    agentSettings: new Map(
      Object.entries(options.agents ?? {}).map(([name, handler]) => [
        name,
        { ...defaultSettings, ...options.agentSettings, name, handler },
      ]),
    ),
    workflows: new Map((options.workflows ?? []).map((workflow) => [workflow.name, workflow])),
    versions: { waybill: 'test' },
    report: async (failure) => {
      failures.push(failure);
      return makeId('envelope');
    },
  };
  return {
    engine,
    runs: new Runs(engine),
    failures,
    die: () => {
      living.delete(instance);
      mortal.die();
    },
  };
}

/** A store whose user can die: what it asks for after that is never done and never answered. */
function mortalStore(store: Store): { readonly store: Store; readonly die: () => void } {
  let dead = false;
  const never = new Promise<never>(() => {});
  const alive = <T>(work: () => Promise<T>): Promise<T> =>
    dead ? never : work().then((value) => (dead ? never : value));
  return {
    store: {
      engine: store.engine,
      hints: store.hints,
      read: (scope) => alive(() => store.read(scope)),
      write: (scope) => alive(() => store.write(scope)),
      locked: (row, scope, options) => alive(() => store.locked(row, scope, options)),
      select: (sql, values) => alive(() => store.select(sql, values)),
      submit: (operation) => alive(() => store.submit(operation)),
      close: () => store.close(),
    },
    die: () => {
      dead = true;
    },
  };
}

const defaultSettings = {
  transport: 'function',
  command: [],
  allowEnv: [],
  setEnv: {},
  helloTimeoutMs: 1_000,
  deadlineMs: 5_000,
  heartbeatMs: 1_000,
  missedHeartbeats: 3,
  retries: 0,
  backoffMs: 1,
  maxBackoffMs: 1,
  restarts: 0,
  graceMs: 100,
} as const satisfies Partial<AgentSettings>;

const functionAgents: AgentPort = {
  open: async ({ name, handler }) => ({
    agent: { name, version: 'test', dedupe: true },
    usable: true,
    send: async (command, { signal }) => {
      if (handler === undefined) throw new WaybillError('agent_spawn_failed', `agent ${name} has no handler`);
      return handler(command, signal);
    },
    close: async () => ({ how: 'contained', signaled: 0, left: 0 }),
  }),
};

const noCommand: CommandPort['run'] = async ({ argv }) => {
  throw new WaybillError('process_spawn_failed', `a test world runs no commands: ${argv[0]}`);
};

const noTools: ToolPort = {
  find: async (id) => {
    throw new WaybillError('tool_not_found', `a test world has no tool ${id}`);
  },
};

/** The regular files of a folder, read each time. */
function captureFolder(root: string): Snapshot {
  const files = readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry): SnapshotEntry => {
      const path = join(entry.parentPath, entry.name);
      const bytes = readFileSync(path);
      return { path: relative(root, path), kind: 'file', size: bytes.length, digest: digestOf(bytes) };
    });
  const digest = snapshotDigest('walk', files);
  const bytes = files.reduce((sum, file) => sum + file.size, 0);
  return { id: snapshotIdOf(digest), digest, rule: 'walk', files, omitted: [], bytes };
}
