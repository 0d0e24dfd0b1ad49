import { readFile, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { releaseLinks } from '../src/domain/registry/verify/release-link.ts';
import { Random } from './support/random.ts';
import { Waybill } from './support/waybill.ts';
import { makeWorkspace, type TestWorkspace } from './support/workspace.ts';

const configuration = `export default {};\n`;
const published = z.looseObject({
  state: z.literal('published'),
  digest: z.string(),
  versionId: z.string(),
  idempotent: z.boolean(),
  tags: z.array(z.string()),
  files: z.array(z.object({ path: z.string(), digest: z.string(), size: z.int() })),
  attestation: z.object({ keyId: z.string(), digest: z.string() }).nullable(),
  verify: z.string(),
});
const verified = z.looseObject({
  intact: z.boolean(),
  authentic: z.enum(['signed', 'unsigned', 'wrong_key', 'not_checked']),
  links: z.array(z.looseObject({ link: z.enum(releaseLinks), state: z.string() })),
  problems: z.array(z.object({ where: z.string(), message: z.string() })),
});

/** A workspace with a run that made two files. */
async function builtWorkspace(): Promise<{ readonly workspace: TestWorkspace; readonly run: string }> {
  const workspace = await makeWorkspace({ configuration, files: { '.gitignore': 'dist/\n.waybill/\n' } });
  const script = 'mkdir -p dist && echo tool > dist/tool.js && echo map > dist/tool.js.map';
  const outputs = ['--output', 'dist/tool.js', '--output', 'dist/tool.js.map'];
  const { code, stderr } = await workspace.waybill(['exec', ...outputs, '--', 'sh', '-c', script]);
  expect(code, stderr).toBe(0);
  return { workspace, run: z.string().parse(workspace.onlyRun()) };
}

async function json(workspace: TestWorkspace, args: readonly string[], code = 0): Promise<unknown> {
  const finished = await workspace.waybill([...args, '--json']);
  expect(finished.code, `${args.join(' ')}\n${finished.stdout}\n${finished.stderr}`).toBe(code);
  return JSON.parse(finished.stdout);
}

test('G23 G24 G25 from a run to a release and back: keys, publish, verify, export, and one changed byte', async () => {
  const { workspace, run } = await builtWorkspace();
  await using _ = workspace;
  const publish = ['publish', run, '--package', 'my-tool', '--version', '1.2.0'];
  const refused = await workspace.waybill(publish);
  expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('waybill keys init')]);
  const made = z.object({ keyId: z.string(), path: z.string() }).parse(await json(workspace, ['keys', 'init']));
  expect((await stat(join(workspace.data, 'keys', 'signing.key'))).mode & 0o777).toBe(0o600);
  const twice = await workspace.waybill(['keys', 'init']);
  expect([twice.code, twice.stderr]).toEqual([2, expect.stringContaining('signing_key_exists')]);
  const kept = workspace.rows("SELECT outcome FROM audit WHERE action = 'signing.key.made' ORDER BY id");
  expect(kept.map(({ outcome }) => outcome)).toEqual(['succeeded', 'refused']);

  const first = published.parse(await json(workspace, [...publish, '--tag', 'stable']));
  expect(first).toMatchObject({
    idempotent: false,
    tags: expect.arrayContaining(['stable']),
    attestation: { keyId: made.keyId },
  });
  expect(first.files.map(({ path }) => path)).toEqual(['dist/tool.js', 'dist/tool.js.map']);
  expect(published.parse(await json(workspace, publish))).toMatchObject({ idempotent: true, digest: first.digest });
  expect(first.verify).toBe('waybill verify my-tool@1.2.0');

  const chain = verified.parse(await json(workspace, ['verify', 'my-tool@1.2.0']));
  expect(chain).toMatchObject({ intact: true, authentic: 'signed', problems: [] });
  expect(chain.links.map(({ link, state }) => [link, state])).toEqual(releaseLinks.map((link) => [link, 'intact']));
  const said = await workspace.waybill(['verify', 'my-tool@stable']);
  expect(said.stdout.match(/✓/g)).toHaveLength(7);

  // A file by its digest; and one that is nearly it.
  expect(await json(workspace, ['verify', 'dist/tool.js'])).toMatchObject({
    intact: true,
    coordinate: 'waybill-run:my-tool@1.2.0',
    file: { entry: 'dist/tool.js' },
  });
  await workspace.write('dist/tool.js', 'toot\n');
  const near = verified.parse(await json(workspace, ['verify', 'dist/tool.js'], 1));
  expect(near.problems).toEqual([
    {
      where: expect.stringContaining('should be dist/tool.js'),
      message: expect.stringContaining(`expected ${first.files[0]?.digest}`),
    },
  ]);
  await workspace.write('elsewhere.bin', 'nobody knows this');
  expect((await workspace.waybill(['verify', 'elsewhere.bin'])).stderr).toContain('entry_not_found');

  // On a machine without a workspace, with the public key and nothing else.
  const [bundle, key] = [join(workspace.outside, 'release.json'), join(workspace.outside, 'release.pub')];
  await json(workspace, ['export', 'my-tool@1.2.0', '--out', bundle]);
  await json(workspace, ['keys', 'show', '--out', key]);
  const away = async (...args: string[]) => new Waybill(args, { cwd: tmpdir() }).finished;
  const alone = await away('verify', bundle, '--key', key, '--json');
  expect(alone.code, alone.stderr).toBe(0);
  expect(verified.parse(JSON.parse(alone.stdout))).toMatchObject({ intact: true, authentic: 'signed' });
  const whole = await readFile(bundle);
  const at = whole.indexOf('"events":[') + 200;
  whole.writeUInt8(whole.readUInt8(at) ^ 1, at);
  await writeFile(bundle, whole);
  const broken = await away('verify', bundle, '--key', key, '--json');
  expect(broken.code).toBe(1);
  expect(verified.parse(JSON.parse(broken.stdout)).problems[0]?.where).toMatch(/^ledger: event 1/);
}, 180_000);

test('G23 the program is killed with SIGKILL at any moment of a publish, and published again: one version, one event', async () => {
  const { workspace, run } = await builtWorkspace();
  await using _ = workspace;
  await json(workspace, ['keys', 'init']);
  const began = performance.now();
  await json(workspace, ['publish', run, '--package', 'measured', '--version', '1.0.0']);
  const took = performance.now() - began;
  const random = Random.printed('a publish that is killed');
  let killed = 0;
  for (let round = 1; round <= 10; round++) {
    const publish = ['publish', run, '--package', `swept-${round}`, '--version', '1.0.0'];
    const doomed = workspace.start(publish);
    // The first part of it is the start of the program, in which nothing happens.
    await Promise.race([doomed.finished, delay(took * (0.3 + (0.7 * (round - 1 + random.between(0, 99) / 100)) / 10))]);
    doomed.kill('SIGKILL');
    if ((await doomed.finished).signal === 'SIGKILL') killed += 1;
    const again = published.parse(await json(workspace, publish));
    expect(again.files).toHaveLength(2);
    const rows = workspace.rows(
      `SELECT v.state, (SELECT count(*) FROM version_entry e WHERE e.version = v.id) AS entries,
        (SELECT count(*) FROM outbox o WHERE o.aggregate = 'package:' || p.id) AS events
       FROM version v JOIN package p ON p.id = v.package WHERE p.name = ?`,
      `swept-${round}`,
    );
    expect(rows.map((row) => ({ ...row }))).toEqual([{ state: 'published', entries: 2, events: 1 }]);
  }
  expect(killed).toBeGreaterThan(3);
  expect(await json(workspace, ['verify', 'swept-10@1.0.0'])).toMatchObject({ intact: true, authentic: 'signed' });
}, 180_000);
