import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DatabaseSync, type SQLInputValue, type SQLOutputValue } from 'node:sqlite';
import { z } from 'zod';
import {
  type LedgerEvent,
  ledgerEventSchema,
  type Receipt,
  type RunState,
  receiptSchema,
  runStateSchema,
} from '../../src/contract/evidence.ts';
import { type Finished, Waybill } from './waybill.ts';

export interface WorkspaceOptions {
  /** The text of `waybill.config.ts`. */
  readonly configuration: string;
  /** Further files, by path relative to the root. */
  readonly files?: Readonly<Record<string, string>>;
  /** Files outside the tree, by path relative to the folder `outside`. */
  readonly outside?: Readonly<Record<string, string>>;
  /** Ids of tasks to write. */
  readonly tasks?: readonly string[];
  /** Where to put it, instead of a new folder in the system's temporary folder. */
  readonly folder?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** What a command that works on a run says with `--json`. */
export interface Streamed {
  readonly code: number | null;
  readonly events: readonly LedgerEvent[];
  readonly run: RunState;
}

/** What an agent of a test did outside the tree: one line of the effect log. */
const effectSchema = z.looseObject({
  idempotencyKey: z.string(),
  action: z.string(),
  step: z.string(),
  attempt: z.int(),
  resent: z.boolean(),
});
export type Effect = z.infer<typeof effectSchema>;

/**
 * A workspace of its own in a git repository of its own, with a folder `outside` that no snapshot sees. Commands run
 * in it as real processes with a clean environment; `TEST_OUTSIDE` tells configurations and agents where `outside` is.
 */
export class TestWorkspace implements AsyncDisposable {
  readonly root: string;
  readonly outside: string;
  readonly #folder: string;
  readonly #env: Readonly<Record<string, string>>;
  readonly #started = new Set<Waybill>();

  constructor(folder: string, env: Readonly<Record<string, string>>) {
    this.#folder = folder;
    this.root = join(folder, 'repo');
    this.outside = join(folder, 'outside');
    this.#env = env;
  }

  get data(): string {
    return join(this.root, '.waybill');
  }

  get database(): string {
    return join(this.data, 'waybill.db');
  }

  /** Starts a command and does not wait for it. */
  start(args: readonly string[], env: Readonly<Record<string, string>> = {}, foreground = false): Waybill {
    const started = new Waybill(args, {
      cwd: this.root,
      env: { TEST_OUTSIDE: this.outside, ...this.#env, ...env },
      foreground,
    });
    this.#started.add(started);
    const forget = () => this.#started.delete(started);
    started.finished.then(forget, forget);
    return started;
  }

  /** Runs a command to its end. */
  waybill(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Finished> {
    return this.start(args, env).finished;
  }

  /** Runs a command that works on a run with `--json`: what it streamed, each line held against its schema. */
  async stream(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Streamed> {
    const { code, stdout, stderr } = await this.waybill([...args, '--json'], env);
    const lines = linesOf(stdout);
    const last = runStateSchema.safeParse(JSON.parse(lines.pop() ?? 'null'));
    if (!last.success) throw new Error(`no run at the end of waybill ${args.join(' ')}:\n${stdout}\n${stderr}`);
    return { code, run: last.data, events: lines.map((line) => ledgerEventSchema.parse(JSON.parse(line))) };
  }

  /** `show --json`, held against the schema it promises. */
  async show(runId: string): Promise<RunState> {
    return runStateSchema.parse(await this.#document(['show', runId]));
  }

  /** `events --json`: every line held against the schema it promises. */
  async events(runId: string): Promise<LedgerEvent[]> {
    const { stdout } = this.#succeeded(await this.waybill(['events', runId, '--json']));
    return linesOf(stdout).map((line) => ledgerEventSchema.parse(JSON.parse(line)));
  }

  async receipts(runId: string): Promise<Receipt[]> {
    const shape = z.object({ receipts: z.array(receiptSchema) });
    return shape.parse(await this.#document(['show', runId, '--receipts'])).receipts;
  }

  /** @throws Error when `waybill verify` finds anything wrong, or looked at nothing. */
  async assertIntact(runId: string): Promise<void> {
    const shape = z.object({
      intact: z.literal(true),
      problems: z.tuple([]),
      checked: z.object({ events: z.int().min(2) }),
    });
    shape.parse(await this.#document(['verify', runId]));
  }

  /** Rows of the database as they are now, read beside the program. */
  rows(sql: string, ...values: SQLInputValue[]): Record<string, SQLOutputValue>[] {
    if (!existsSync(this.database)) return [];
    const database = new DatabaseSync(this.database, { readOnly: true, timeout: 5000 });
    try {
      return database.prepare(sql).all(...values);
    } finally {
      database.close();
    }
  }

  /** The id of the only run there is; undefined while there is none. */
  onlyRun(): string | undefined {
    const rows = this.#hasTable('run') ? this.rows('SELECT id FROM run') : [];
    if (rows.length > 1) throw new Error(`${rows.length} runs, where one was expected`);
    return rows[0] === undefined ? undefined : z.string().parse(rows[0].id);
  }

  /** What agents did, in the order of their effects; mock agents' executions included. */
  async effects(): Promise<Effect[]> {
    const states = await readdir(join(this.outside, 'state')).catch(() => []);
    const logs = [
      join(this.outside, 'effects.ndjson'),
      ...states.map((name) => join(this.outside, 'state', name, 'executions.ndjson')),
    ];
    const present = logs.filter((log) => existsSync(log));
    // A killed agent may leave half a line at the end; what it had not written whole it had not done.
    return present.flatMap((log) =>
      linesOf(readFileSync(log, 'utf8').replace(/[^\n]*$/, '')).map((line) => effectSchema.parse(JSON.parse(line))),
    );
  }

  async write(path: string, content: string): Promise<void> {
    const file = join(this.root, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, content);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const open = [...this.#started];
    for (const each of open) each.kill('SIGKILL');
    await Promise.allSettled(open.map((each) => each.finished));
    // What a killed command's contained processes still write is gone within moments.
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }

  async #document(args: readonly string[]): Promise<unknown> {
    return JSON.parse(this.#succeeded(await this.waybill([...args, '--json'])).stdout);
  }

  #succeeded(finished: Finished): Finished {
    if (finished.code === 0) return finished;
    throw new Error(`exit code ${finished.code}, where 0 was expected:\n${finished.stdout}\n${finished.stderr}`);
  }

  #hasTable(name: string): boolean {
    return this.rows("SELECT name FROM sqlite_master WHERE type = 'table' AND name = ?", name).length > 0;
  }
}

export function linesOf(text: string): string[] {
  return text.split('\n').filter((line) => line !== '');
}

export async function makeWorkspace(options: WorkspaceOptions): Promise<TestWorkspace> {
  const folder = options.folder ?? (await mkdtemp(join(await realpath(tmpdir()), 'waybill-end-to-end-')));
  const workspace = new TestWorkspace(folder, options.env ?? {});
  await mkdir(workspace.data, { recursive: true, mode: 0o700 });
  await mkdir(workspace.outside, { recursive: true });
  const tasks = (options.tasks ?? []).map((id) => [`waybill.tasks/${id}.md`, taskFile(id)] as const);
  const files = { 'README.md': 'A test.\n', ...Object.fromEntries(tasks), ...options.files };
  for (const [path, content] of Object.entries(files)) await workspace.write(path, content);
  await workspace.write('waybill.config.ts', options.configuration);
  for (const [path, content] of Object.entries(options.outside ?? {})) {
    await mkdir(dirname(join(workspace.outside, path)), { recursive: true });
    await writeFile(join(workspace.outside, path), content);
  }
  const identity = ['-c', 'user.name=Test', '-c', 'user.email=test@example.invalid'];
  const date = '2026-11-22T12:00:00Z';
  for (const args of [
    ['init', '-q'],
    ['add', '-A'],
    [...identity, 'commit', '-q', '-m', 'The beginning'],
  ]) {
    execFileSync('git', args, {
      cwd: workspace.root,
      env: { ...process.env, GIT_AUTHOR_DATE: date, GIT_COMMITTER_DATE: date },
    });
  }
  return workspace;
}

function taskFile(id: string): string {
  return `---\ntitle: The task ${id}\n---\nDo what ${id} says.\n`;
}
