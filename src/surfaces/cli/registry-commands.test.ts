import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { ruleListSchema } from '../../contract/api/policy.ts';
import { publishVersion } from '../../domain/registry/publish/publish-version.ts';
import { arrangeDraft } from '../../domain/registry/testing/arrange-draft.ts';
import { openTestRegistry, type TestRegistry } from '../../domain/registry/testing/open-test-registry.ts';
import { FakeCli, type Ran } from './fixtures/fake-host.ts';

let cwd = '';
let opened: TestRegistry;
beforeEach(async () => {
  cwd = realpathSync(mkdtempSync(join(tmpdir(), 'waybill-registry-cli-')));
  writeFileSync(join(cwd, 'waybill.config.ts'), 'export default {};\n');
  opened = await openTestRegistry({});
});
afterEach(async () => {
  await opened[Symbol.asyncDispose]();
  rmSync(cwd, { recursive: true, force: true });
});

/** A command as it is typed, on a real registry. */
function cli(...args: readonly string[]): Promise<Ran> {
  const { registry } = opened;
  return new FakeCli({ cwd, program: { registry: async () => ({ registry, actor: 'local:7' }) } }).run(...args);
}

async function json(...args: readonly string[]): Promise<unknown> {
  const ran = await cli(...args, '--json');
  expect(ran.exitCode, ran.stderr).toBe(0);
  return JSON.parse(ran.stdout);
}

async function publish(name: string, version: string, packageId?: string) {
  const draft = await arrangeDraft(opened.registry, {
    name,
    version,
    ...(packageId === undefined ? {} : { packageId }),
  });
  await publishVersion(opened.registry, draft, 'publisher');
  return draft;
}

test('G28 repos are made, listed, shown and deleted by command', async () => {
  expect((await cli('repos')).stdout).toMatch(/^repo .*\nlocal {2,}waybill {2}What is released from here\.\n$/);
  expect((await cli('repos', 'make', 'team', '--description', 'Ours \u001b[2J')).stdout).toContain('--repo team');
  expect(await json('repos', 'list', '--limit', '1')).toMatchObject({
    repos: [{ key: 'local' }],
    nextCursor: expect.any(String),
  });
  const shown = await cli('repos', 'show', 'team');
  expect(shown.stdout).toContain('0 published, 0 drafts, 0 tombstoned');
  expect(shown.stdout).not.toContain('\u001b[2J');
  await publish('tool', '1.0.0');
  const refused = await cli('repos', 'delete', 'local', '--json');
  expect(refused.exitCode).toBe(2);
  expect(await json('repos', 'delete', 'team')).toMatchObject({ key: 'team' });
  expect((await cli('repos', 'show', 'team')).exitCode).toBe(2);
  expect((await cli('repos', 'make', 'Not A Key')).exitCode).toBe(2);
});

test('G8 packages, versions and files are listed, shown and downloaded by what a person writes', async () => {
  const { packageId, versionId } = await publish('@team/tool', '1.0.0');
  await publish('@team/tool', '1.1.0', packageId);
  await arrangeDraft(opened.registry, { name: '@team/tool', version: '2.0.0', packageId });
  expect((await cli('packages')).stdout).toMatch(/generic +@team\/tool +1\.1\.0 +2 +1 +0\n$/);
  expect((await cli('packages', '--prefix', '@other')).stdout).toBe('No packages in the repo local.\n');
  const versions = (await cli('packages', 'versions', '@team/tool', '--state', 'published')).stdout.split('\n');
  expect(versions.slice(1, 3).map((line) => line.split(/ +/)[0])).toEqual(['1.1.0', '1.0.0']);
  const paged = await json('packages', 'versions', '@team/tool', '--limit', '1');
  expect(paged).toMatchObject({ versions: [{ version: '2.0.0', state: 'draft' }], nextCursor: expect.any(String) });

  await cli('tags', 'set', '@team/tool@1.0.0', 'stable');
  for (const written of ['generic:@team/tool@1.0.0', '@team/tool@stable', versionId]) {
    expect(await json('packages', 'show', written)).toMatchObject({
      versionId,
      version: '1.0.0',
      tags: ['stable'],
      files: [{ path: 'bin/tool', size: 10 }],
    });
  }
  expect(await json('packages', 'show', '@team/tool')).toMatchObject({ version: '1.1.0' });
  const text = (await cli('packages', 'show', '@team/tool@stable')).stdout;
  expect(text).toMatch(/^generic:@team\/tool@1\.0\.0\n {2}state +published\n/);
  expect(text).toMatch(/bin\/tool +10 +sha256:/);

  const done = await cli('packages', 'download', '@team/tool@stable', 'bin/tool', '--out', 'out.sh');
  expect(done.exitCode, done.stderr).toBe(0);
  expect(readFileSync(join(cwd, 'out.sh'), 'utf8')).toBe('#!/bin/sh\n');
  await cli('packages', 'download', '@team/tool', 'bin/tool');
  expect(readFileSync(join(cwd, 'tool'), 'utf8')).toBe('#!/bin/sh\n');
  for (const args of [
    ['packages', 'download', '@team/tool@9', 'bin/tool'],
    ['packages', 'download', '@team/tool', 'none'],
    ['packages', 'show', '@team/tool@none'],
    ['packages', 'show', 'a b'],
    ['packages', 'versions', 'tool', '--state', 'lost'],
    ['packages', 'list', '--cursor', 'none'],
    ['packages', 'list', '--repo', 'none'],
  ]) {
    const ran = await cli(...args);
    expect([args, ran.exitCode]).toEqual([args, 2]);
  }
});

test('G8 tags are listed, set and removed by command', async () => {
  await publish('tool', '1.0.0');
  expect((await cli('tags', 'list', 'tool')).stdout).toMatch(/latest +1\.0\.0 .*published last\n$/);
  expect((await cli('tags', 'set', 'tool@1.0.0', 'stable')).stdout).toBe('tool@stable is 1.0.0\n');
  expect((await cli('tags', 'set', 'tool@1.0.0', 'stable')).stdout).toBe('tool@stable is 1.0.0, as before\n');
  expect(await json('tags', 'list', 'tool')).toMatchObject({
    tags: [
      { tag: 'latest', automatic: true },
      { tag: 'stable', updatedBy: 'local:7', automatic: false },
    ],
  });
  expect((await cli('tags', 'remove', 'tool', 'stable')).stdout).toContain('no tag stable any more');
  expect((await cli('tags', 'set', 'tool', 'stable')).exitCode).toBe(2);
  expect((await cli('tags', 'set', 'tool@1.0.0', 'v1')).exitCode).toBe(2);
});

test('G16 a version is tombstoned by command, and again; a reason is needed', async () => {
  await publish('tool', '1.0.0');
  expect((await cli('tombstone', 'tool@1.0.0')).exitCode).toBe(2);
  expect((await cli('tombstone', 'tool', '--reason', 'x')).exitCode).toBe(2);
  expect((await cli('tombstone', 'tool@1.0.0', '--reason', 'wrong branch')).stdout).toBe('tool@1.0.0 is tombstoned\n');
  expect((await cli('tombstone', 'tool@1.0.0', '--reason', 'other')).stdout).toContain('before: wrong branch');
  expect((await cli('packages', 'show', 'tool@1.0.0')).stdout).toMatch(/withdrawn .* by local:7: wrong branch/);
  expect((await cli('packages', 'download', 'tool@1.0.0', 'bin/tool')).stderr).toContain('version_tombstoned');
});

test('G22 rules are made, listed and removed by command, and say what they hold back', async () => {
  await publish('bad-tool', '1.0.0');
  const because = ['--reason', 'because'];
  const made = await json('rules', 'make', 'name', '--pattern', '*:bad-*', '--blocks', 'download', ...because);
  const { rule } = z.object({ rule: z.object({ ruleId: z.string() }) }).parse(made);
  expect(made).toMatchObject({ created: true, quarantined: 1 });
  const again = await cli('rules', 'make', 'name', '--pattern', '*:bad-*', '--blocks', 'download', ...because);
  expect(again.stdout).toBe(`${rule.ruleId} stands already; it holds back 1 published version\n`);
  const kinds = [
    ['digest', '--digest', `sha256:${'a'.repeat(64)}`],
    ['size', '--bytes', '1000', '--of', 'entry'],
    ['unattested'],
    ['no-run'],
    ['dirty'],
    ['media-type', '--pattern', 'text/*', '--pattern', 'image/*'],
  ];
  for (const kind of kinds) await json('rules', 'make', ...kind, '--blocks', 'publish', ...because);
  await json('rules', 'make', 'no-run', '--blocks', 'publish', '--everywhere', ...because);
  const { rules } = ruleListSchema.parse(await json('rules'));
  expect(rules.map(({ kind, repo }) => [kind, repo])).toEqual([
    ['name', 'local'],
    ...kinds.map(([kind]) => [kind, 'local']),
    ['no-run', null],
  ]);
  expect((await cli('rules', 'list', '--everywhere')).stdout.split('\n')).toHaveLength(3);
  expect((await cli('quarantine')).stdout).toMatch(/generic:bad-tool@1\.0\.0 +rule_/);
  expect((await cli('packages', 'show', 'bad-tool')).stdout).toContain(`held back by ${rule.ruleId}: because`);
  expect((await cli('packages', 'download', 'bad-tool', 'bin/tool')).stderr).toContain('version_quarantined');
  expect((await cli('rules', 'remove', rule.ruleId)).stdout).toBe(
    `${rule.ruleId} is removed; it held back 1 published version\n`,
  );
  expect((await cli('quarantine')).stdout).toBe('Nothing is held back.\n');
  expect(await json('quarantine', '--released')).toMatchObject({ quarantine: [{ ruleId: rule.ruleId }] });
  for (const wrong of [
    ['name', '--blocks', 'both', ...because],
    ['name', '--pattern', 'a', '--pattern', 'b', '--blocks', 'both', ...because],
    ['name', '--pattern', 'a', '--digest', `sha256:${'a'.repeat(64)}`, '--blocks', 'both', ...because],
    ['name', '--pattern', 'a', ...because],
    ['name', '--pattern', 'a', '--blocks', 'nothing', ...because],
    ['name', '--pattern', 'a', '--blocks', 'both'],
    ['mood', '--blocks', 'both', ...because],
    ['digest', '--digest', 'none', '--blocks', 'both', ...because],
  ]) {
    expect([wrong, (await cli('rules', 'make', ...wrong)).exitCode]).toEqual([wrong, 2]);
  }
});
