import { execFileSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { defineWorkflow } from '../../src/contract/define.ts';
import { parseId, type RunId } from '../../src/contract/ids.ts';
import type { PublishRun } from '../../src/domain/registry/release/publish-run.ts';
import type { Releases } from '../../src/domain/registry/release/releases.ts';
import {
  openTestRegistry,
  type TestRegistry,
  type TestRegistryOptions,
} from '../../src/domain/registry/testing/open-test-registry.ts';
import type { CommandPort } from '../../src/domain/runs/ports.ts';
import { Runs } from '../../src/domain/runs/runs.ts';
import { createCheckoutPort } from '../../src/executors/checkout/checkout-port.ts';
import { createCommitPort } from '../../src/executors/commits/commit-port.ts';
import { createSigningPort } from '../../src/executors/signing/signing-port.ts';
import { createSnapshotPort } from '../../src/executors/snapshots/snapshot-port.ts';
import { systemClock } from '../../src/platform/clock/clock.ts';
import { digestOf } from '../../src/platform/digests/digest.ts';

/** A registry whose runs come from a real checkout, with a signing key. */
export interface ReleaseWorld extends AsyncDisposable {
  readonly opened: TestRegistry;
  readonly releases: Releases;
  readonly root: string;
  /** Runs `build` on what lies in the checkout now. */
  build(files?: Readonly<Record<string, string>>, input?: { readonly secret?: string }): Promise<RunId>;
  /** A run that shares the receipts of another up to its last step. */
  fork(run: RunId): Promise<RunId>;
  /** Git in the checkout. */
  git(...args: string[]): string;
  write(path: string, content: string): Promise<void>;
}

export const builtFiles: Readonly<Record<string, string>> = {
  'dist/tool.js': 'export const answer = 42;\n',
  'dist/lib/deep.js': 'export {};\n',
};

const buildInput = z.looseObject({ files: z.record(z.string(), z.string()) });

const build = defineWorkflow('build', async (run, input) => {
  const { files } = buildInput.parse(input);
  await run.step('prepare', { count: Object.keys(files).length }, () => 'ready');
  await run.exec(['make', JSON.stringify(files)], { expectedOutputs: Object.keys(files).sort() });
  return { made: Object.keys(files).length };
});

const failing = defineWorkflow('broken-build', async (run) => {
  await run.step('fail', {}, () => {
    throw new Error('it does not compile');
  });
  return null;
});

/** A command that writes the files its argument holds. */
const make: CommandPort['run'] = async ({ argv, cwd }) => {
  const files = z.record(z.string(), z.string()).parse(JSON.parse(argv[1] ?? '{}'));
  for (const [path, content] of Object.entries(files)) await writeInto(cwd, path, content);
  const nothing = { text: '', bytes: 0, digest: digestOf(''), truncated: false };
  return { exitCode: 0, stdout: nothing, stderr: nothing };
};

export async function openReleaseWorld(options: TestRegistryOptions): Promise<ReleaseWorld> {
  const opened = await openTestRegistry({
    command: make,
    checkout: createCheckoutPort({ clock: systemClock }),
    ...options,
    workflows: [build, failing, ...(options.workflows ?? [])],
  });
  const { world, process, registry } = opened;
  const { root, data } = world;
  const snapshots = createSnapshotPort({ cacheFile: join(data, 'cache', 'tree'), clock: systemClock });
  const runs = new Runs({ ...process.engine, snapshots });
  const git = (...args: string[]) => execFileSync('git', [...identity, ...args], { cwd: root, encoding: 'utf8' });
  git('init', '-q', '-b', 'main');
  await writeInto(root, '.gitignore', 'dist/\n');
  await writeInto(root, 'src/tool.ts', 'export const answer: number = 42;\n');
  await writeInto(root, 'bin/run.sh', '#!/bin/sh\n');
  git('add', '-A');
  git('commit', '-q', '-m', 'The beginning');
  const signing = createSigningPort(join(data, 'keys'));
  await signing.make();
  return {
    opened,
    releases: { registry, signing, commits: createCommitPort(), root, version: 'test' },
    root,
    git,
    write: (path, content) => writeInto(root, path, content),
    build: async (files = builtFiles, input = {}) => {
      const { runId, outcome } = await runs.start({ workflow: 'build', input: { files, ...input }, actor: 'me' });
      await outcome;
      return parseId('run', runId);
    },
    fork: async (origin) => {
      const { runId, outcome } = await runs.fork(origin, { actor: 'me', from: '2', acceptDrift: true });
      await outcome;
      return parseId('run', runId);
    },
    [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
  };
}

export function publishRequest(run: RunId, more: Partial<PublishRun> = {}): PublishRun {
  return {
    run,
    repo: 'local',
    coordinate: { type: 'waybill-run', name: 'my-tool', version: '1.2.0' },
    files: [],
    manifest: null,
    unsigned: false,
    ...more,
  };
}

const identity = ['-c', 'user.name=Test', '-c', 'user.email=test@example.invalid', '-c', 'commit.gpgsign=false'];

async function writeInto(root: string, path: string, content: string): Promise<void> {
  const file = join(root, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, content);
}
