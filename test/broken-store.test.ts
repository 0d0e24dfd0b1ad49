import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test, vi } from 'vitest';
import { z } from 'zod';
import type { Finished } from './support/waybill.ts';
import { makeWorkspace, type TestWorkspace } from './support/workspace.ts';

vi.setConfig({ testTimeout: 120_000 });
const configuration = `import { defineConfig, defineWorkflow } from 'waybill';
const three = defineWorkflow('three', async (run) => {
  const outside = process.env.TEST_OUTSIDE;
  const count = (name: string) => run.exec(['sh', '-c', 'echo ' + name + ' >> "$0"', outside + '/done'], { name });
  await count('first');
  await run.exec(['sh', '-c', 'if [ -e "$0/fill" ]; then rm "$0/fill"; cat /dev/zero > "$1/ballast"; fi; true', outside, '.waybill'], { name: 'fill' });
  await count('last');
  return 'all three';
});
export default defineConfig({ workflows: [three] });
`;
const run = ['run', '--workflow', 'three', '--json'];

/** A failure a program can read: one document on standard output, the reason and what to do in it. */
function refusal({ code, stdout, stderr }: Finished) {
  const shape = z.object({
    error: z.object({ code: z.string(), message: z.string().min(10), hint: z.string().min(10) }),
  });
  const last = stdout.trimEnd().split('\n').at(-1) ?? '';
  expect(last, stderr).toMatch(/^\{"error"/);
  return { exitCode: code, ...shape.parse(JSON.parse(last)).error };
}

async function finishedRun(workspace: TestWorkspace): Promise<string> {
  const done = await workspace.waybill(run);
  expect(done.code, done.stdout + done.stderr).toBe(0);
  return z.object({ runId: z.string() }).parse(JSON.parse(done.stdout.split('\n')[0] ?? '')).runId;
}

/** The next start works, and what was there before is all there. */
async function assertNothingLost(workspace: TestWorkspace, earlier: string): Promise<void> {
  expect(await workspace.show(earlier)).toMatchObject({ state: 'succeeded', output: 'all three' });
  await workspace.assertIntact(earlier);
  expect(await finishedRun(workspace)).not.toBe(earlier);
}

/** A small disk of its own for the data folder; undefined where only root could mount one and we are not. */
function smallDisk(): string | undefined {
  const folder = mkdtempSync(join(realpathSync(tmpdir()), 'waybill-small-disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', folder], { stdio: 'pipe' });
    return folder;
  } catch (error) {
    rmSync(folder, { recursive: true });
    console.log(`no small disk: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

const disk = smallDisk();
if (disk !== undefined) {
  execFileSync('umount', [disk]);
  rmSync(disk, { recursive: true });
}

/** The data folder on a disk of 4 MiB. */
async function onSmallDisk(use: (workspace: TestWorkspace) => Promise<void>): Promise<void> {
  await using workspace = await makeWorkspace({ configuration });
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m,mode=0700', 'tmpfs', workspace.data]);
  try {
    await use(workspace);
  } finally {
    execFileSync('umount', [workspace.data]);
  }
}

function fill(path: string): void {
  expect(() => execFileSync('sh', ['-c', 'cat /dev/zero > "$0"', path], { stdio: 'pipe' })).toThrow(/space/);
}

test.runIf(disk !== undefined)('R24 a disk that is full at the start: exit 3, nothing lost, the next start works', () =>
  onSmallDisk(async (workspace) => {
    const earlier = await finishedRun(workspace);
    const ballast = join(workspace.data, 'ballast');
    fill(ballast);
    const refused = refusal(await workspace.waybill(run));
    expect(refused.exitCode).toBe(3);
    expect(`${refused.message} ${refused.hint}`).toMatch(/full/i);
    rmSync(ballast);
    await assertNothingLost(workspace, earlier);
  }),
);

test.runIf(disk !== undefined)(
  'R24 a disk that becomes full in the middle of a run: exit 3, and the resume finishes',
  () =>
    onSmallDisk(async (workspace) => {
      writeFileSync(join(workspace.outside, 'fill'), '');
      const broken = await workspace.waybill(run);
      const refused = refusal(broken);
      expect(refused.exitCode).toBe(3);
      expect(`${refused.message} ${refused.hint}`).toMatch(/full/i);
      rmSync(join(workspace.data, 'ballast'));
      const runId = workspace.onlyRun() ?? '';
      expect(await workspace.show(runId)).toMatchObject({ state: 'running', interrupted: true, steps: 1 });
      const resumed = await workspace.waybill(['resume', runId]);
      expect(resumed.code, resumed.stderr).toBe(0);
      expect(readFileSync(join(workspace.outside, 'done'), 'utf8')).toBe('first\nlast\n');
      await assertNothingLost(workspace, runId);
    }),
);

test('R24 a data folder that cannot be written: exit 3, nothing lost, the next start works', async () => {
  await using workspace = await makeWorkspace({ configuration });
  const mounted = disk !== undefined;
  // Permissions do not stop root, a read-only mount does.
  const mount = (...options: string[]) => execFileSync('mount', [...options, workspace.data]);
  if (mounted) mount('--bind', workspace.data);
  try {
    const earlier = await finishedRun(workspace);
    if (mounted) mount('-o', 'remount,bind,ro');
    else for (const path of [workspace.database, workspace.data]) chmodSync(path, 0o500);
    const refused = refusal(await workspace.waybill(run));
    expect(refused).toMatchObject({ exitCode: 3 });
    expect(`${refused.message} ${refused.hint}`).toMatch(/read-only|permission|written/i);
    if (mounted) mount('-o', 'remount,bind,rw');
    else for (const path of [workspace.data, workspace.database]) chmodSync(path, 0o700);
    await assertNothingLost(workspace, earlier);
  } finally {
    if (mounted) execFileSync('umount', [workspace.data]);
  }
});

test('R24 a corrupt database: exit 3, the file is left as it is, and works again when it is restored', async () => {
  await using workspace = await makeWorkspace({ configuration });
  const earlier = await finishedRun(workspace);
  const backup = readFileSync(workspace.database);
  const damaged = Buffer.from(backup);
  damaged.write('no database at all', 0);
  writeFileSync(workspace.database, damaged);
  const refused = refusal(await workspace.waybill(run));
  expect(refused).toMatchObject({ exitCode: 3, code: 'store_corrupt' });
  expect(readFileSync(workspace.database).equals(damaged)).toBe(true);
  writeFileSync(workspace.database, backup);
  await assertNothingLost(workspace, earlier);
});

test('R24 a database of a newer version: exit 3, nothing is changed, and the newer one can go on', async () => {
  await using workspace = await makeWorkspace({ configuration });
  const earlier = await finishedRun(workspace);
  const change = (sql: string) => {
    const database = new DatabaseSync(workspace.database);
    database.exec(sql);
    database.close();
  };
  const columns = workspace.rows('SELECT * FROM schema_migration').map((row) => Object.keys(row))[0] ?? [];
  const copied = columns.map((name) => ({ number: '99', name: "'of-the-future'" })[name] ?? name);
  change(
    `INSERT INTO schema_migration (${columns}) SELECT ${copied} FROM schema_migration WHERE feature = 'runs' LIMIT 1`,
  );
  const refused = refusal(await workspace.waybill(run));
  expect(refused).toMatchObject({ exitCode: 3, code: 'store_newer_schema' });
  expect(refused.message).toContain('99');
  expect(workspace.rows('SELECT id FROM run')).toHaveLength(1);
  change('DELETE FROM schema_migration WHERE number = 99');
  await assertNothingLost(workspace, earlier);
});
