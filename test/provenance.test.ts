import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { parseConfiguration } from '../src/contract/configuration.ts';
import { defineWorkflow } from '../src/contract/define.ts';
import type { RunProvenance } from '../src/contract/evidence.ts';
import type { RunId } from '../src/contract/ids.ts';
import type { ToolDescriptionInput } from '../src/contract/tool.ts';
import { hostHash } from '../src/domain/runs/host-hash.ts';
import { requestRun } from '../src/domain/runs/requests.ts';
import { showRun } from '../src/domain/runs/show-run.ts';
import {
  openTestWorld,
  runTables,
  type TestProcess,
  type TestWorldOptions,
} from '../src/domain/runs/testing/engine.ts';
import { toolWorkflow } from '../src/domain/runs/workflows/tool.ts';
import { createToolCatalog } from '../src/domain/workspace/tools/tool-catalog.ts';
import { createCheckoutPort } from '../src/executors/checkout/checkout-port.ts';
import { canonicalJson } from '../src/platform/canonical-json/canonical-json.ts';
import { systemClock } from '../src/platform/clock/clock.ts';
import { digestOf } from '../src/platform/digests/digest.ts';
import { openPostgresStore } from '../src/platform/store/postgres/open.ts';
import { type TestDatabase, testDatabase } from './postgres/test-database.ts';

const actor = 'me';
const databases: TestDatabase[] = [];
afterAll(() => Promise.all(databases.map((database) => database.drop())));

type Where = () => Promise<Pick<TestWorldOptions, 'openStore'>>;
const onSqlite: Where = async () => ({});
const onPostgres: Where = async () => {
  const database = await testDatabase();
  databases.push(database);
  const { connection } = database;
  return { openStore: () => openPostgresStore({ connection, migrations: runTables(), poolSize: 4 }) };
};
const stores: readonly (readonly [string, Where])[] = [
  ['SQLite', onSqlite],
  ['PostgreSQL', onPostgres],
];

const held = defineWorkflow('held', { snapshot: 'none' }, async (run) => {
  await run.approval('go', { prompt: 'go?' });
  return null;
});

function git(root: string, ...args: string[]): string {
  const identity = ['-c', 'user.name=t', '-c', 'user.email=t@t'];
  const env = { ...process.env, GIT_AUTHOR_DATE: '2026-01-01T00:00:00Z', GIT_COMMITTER_DATE: '2026-01-01T00:00:00Z' };
  return execFileSync('git', [...identity, ...args], { cwd: root, encoding: 'utf8', env }).trim();
}

const description: ToolDescriptionInput = {
  schema: 'waybill.tool.v1',
  ...{ id: 'look', version: '1.2.3', title: 'Look', description: 'Looks.', kind: 'command', command: ['true'] },
  ...{ inputSchema: { type: 'object' }, outputSchema: true, sideEffects: 'none' },
};

function describeTool(root: string, changes: Partial<ToolDescriptionInput> = {}): string {
  const text = JSON.stringify({ ...description, ...changes });
  mkdirSync(join(root, 'waybill.tools/look'), { recursive: true });
  writeFileSync(join(root, 'waybill.tools/look/tool.json'), text);
  return text;
}

/** A workspace that is a checkout with one commit and one tool. */
async function scene(where: Where, options: Partial<TestWorldOptions> & { readonly name?: string } = {}) {
  const checkout = createCheckoutPort({ clock: systemClock });
  const world = await openTestWorld({ ...(await where()), workflows: [toolWorkflow, held], checkout, ...options });
  const { root } = world;
  describeTool(root);
  git(root, 'init', '-q', '-b', 'main');
  git(root, 'add', '-A');
  git(root, 'commit', '-q', '-m', 'x');
  git(
    root,
    'remote',
    'add',
    'origin',
    `https://user:s3cret@host.test/team/${options.name ?? 'goods'}.git?token=s3cret`,
  );
  const tools = createToolCatalog({ root, configurationPath: null }, parseConfiguration({}));
  const program = await world.start({ tools });
  return {
    root,
    program,
    start: () => world.start({ tools }),
    [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
  };
}

async function provenanceOf(program: TestProcess, runId: RunId): Promise<RunProvenance> {
  const { provenance } = await showRun(program.engine, runId);
  if (provenance === null) throw new Error('the run has no provenance');
  return provenance;
}

async function callLook(program: TestProcess): Promise<RunProvenance> {
  const { runId, outcome } = await program.runs.start({
    workflow: 'tool',
    input: { tool: 'look', input: {} },
    actor,
  });
  await outcome;
  return provenanceOf(program, runId);
}

const known = <T>(value: T) => ({ known: true, value });
const unknownFor = (reason: RegExp) => ({ known: false, reason: expect.stringMatching(reason) });

describe.each(stores)('where a run comes from, on %s', (_, where) => {
  test('D16 checkout, versions, digests of tool and schemas, input and environment are stored when a run starts', async () => {
    await using place = await scene(where);
    const { root, program } = place;
    const provenance = await callLook(program);
    expect(provenance).toEqual({
      checkout: {
        name: known('goods'),
        remote: known('https://host.test/team/goods.git'),
        commit: known(git(root, 'rev-parse', 'HEAD')),
        branch: known('main'),
        dirty: known(false),
        readAt: expect.stringMatching(/Z$/),
      },
      versions: { waybill: 'test' },
      configDigest: null,
      workflow: { name: 'tool', version: null, codeDigest: digestOf(toolWorkflow.code ?? '') },
      tool: {
        id: 'look',
        version: '1.2.3',
        descriptionDigest: digestOf(JSON.stringify(description)),
        inputSchemaDigest: digestOf(canonicalJson(description.inputSchema)),
        outputSchemaDigest: digestOf('true'),
      },
      hostHash: null,
      inputDigest: digestOf('{"input":{},"tool":"look"}'),
      platform: { os: process.platform, arch: process.arch, node: process.version },
      envFingerprint: expect.stringMatching(/^sha256:/),
      containment: { how: 'contained', means: 'test' },
    });
    expect(JSON.stringify(provenance)).not.toContain('s3cret');
  });

  test('D16 captured once: a commit, an edit, another tool and a resume change nothing of it', async () => {
    await using place = await scene(where);
    const { root, program } = place;
    const before = await callLook(program);
    const { runId, outcome } = await program.runs.start({ workflow: 'held', input: null, actor });
    expect(await outcome).toMatchObject({ kind: 'waiting' });
    const waiting = await provenanceOf(program, runId);
    const stored = JSON.stringify(waiting);
    describeTool(root, { version: '2.0.0' });
    expect((await callLook(program)).checkout.dirty).toEqual(known(true));
    git(root, 'checkout', '-q', '-b', 'other');
    git(root, 'commit', '-q', '-a', '-m', 'y');
    const after = await callLook(program);
    expect(after).toMatchObject({
      checkout: { commit: known(git(root, 'rev-parse', 'HEAD')), branch: known('other'), dirty: known(false) },
      tool: { version: '2.0.0' },
    });
    expect(after.tool?.descriptionDigest).not.toBe(before.tool?.descriptionDigest);
    expect(after.envFingerprint).not.toBe(before.envFingerprint);
    const later = await place.start();
    await requestRun(later.engine, runId, { kind: 'approve', step: 'go', comment: null }, { actor });
    expect(await (await later.runs.resume(runId, { actor })).outcome).toMatchObject({ state: 'succeeded' });
    expect(JSON.stringify(await provenanceOf(later, runId))).toBe(stored);
  });

  test('D17 no checkout, no commit, no git, and git that hangs: unknown with the reason, and the run goes on', async () => {
    await using place = await scene(where);
    const { root, program } = place;
    rmSync(join(root, '.git'), { recursive: true });
    const none = await callLook(program);
    for (const fact of ['name', 'remote', 'commit', 'branch', 'dirty'] as const) {
      expect(none.checkout[fact]).toEqual(unknownFor(/not a git checkout/));
    }
    git(root, 'init', '-q', '-b', 'main');
    rmSync(join(root, 'waybill.tools'), { recursive: true });
    const empty = await provenanceAt(program);
    expect(empty).toMatchObject({ checkout: { commit: unknownFor(/no commit/), dirty: known(false) }, tool: null });
    const fake = join(root, '..', 'fake-git');
    writeFileSync(fake, '#!/bin/sh\nsleep 60\n', { mode: 0o755 });
    for (const [command, reason] of [
      [join(root, 'no-git'), /not installed/],
      [fake, /did not answer/],
    ] as const) {
      const checkout = createCheckoutPort({ clock: systemClock, git: { command, timeoutMs: 200 } });
      await using other = await openTestWorld({ ...(await where()), workflows: [held], checkout });
      const { checkout: facts } = await provenanceAt(await other.start());
      expect(facts).toMatchObject({
        commit: unknownFor(reason),
        dirty: unknownFor(reason),
        branch: unknownFor(reason),
      });
    }
  });

  test('D18 two workspaces on two stores report each their own', async () => {
    await using one = await scene(where, { name: 'one' });
    await using two = await scene(where, { name: 'two' });
    describeTool(two.root, { version: '9' });
    const [ofOne, ofTwo] = await Promise.all([callLook(one.program), callLook(two.program)]);
    expect(ofOne).toMatchObject({ checkout: { name: known('one'), dirty: known(false) }, tool: { version: '1.2.3' } });
    expect(ofTwo).toMatchObject({ checkout: { name: known('two'), dirty: known(true) }, tool: { version: '9' } });
  });
});

async function provenanceAt(program: TestProcess): Promise<RunProvenance> {
  const { runId, outcome } = await program.runs.start({ workflow: 'held', input: null, actor });
  expect(await outcome).toMatchObject({ kind: 'waiting' });
  return provenanceOf(program, runId);
}

test('D18 both stores give the same provenance of the same run', async () => {
  const told = await Promise.all(
    [onSqlite, onPostgres].map(async (where) => {
      await using place = await scene(where);
      const { checkout, ...rest } = await callLook(place.program);
      return { ...rest, checkout: { ...checkout, readAt: '' } };
    }),
  );
  expect(told[0]).toEqual(told[1]);
  expect(JSON.stringify(told[0])).toBe(JSON.stringify(told[1]));
});

test('D16 the name of the host is hashed under the key of the workspace, and only where that is configured', async () => {
  const [key, other] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
  const hash = hostHash(key, 'builder-7');
  expect(hash).toMatch(/^sha256:[0-9a-f]{64}$/);
  expect(hash).toBe(hostHash(key, 'builder-7'));
  expect(new Set([hash, hostHash(other, 'builder-7'), hostHash(key, 'builder-8'), digestOf('builder-7')]).size).toBe(4);
  await using place = await scene(onSqlite, { hostHash: hash });
  expect((await callLook(place.program)).hostHash).toBe(hash);
  expect(parseConfiguration({}).provenance.hostHash).toBe(false);
});
