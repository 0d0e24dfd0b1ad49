import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Workspace } from '../workspace.ts';
import { addTask } from './add-task.ts';
import { listTasks } from './list-tasks.ts';
import { readTask } from './read-task.ts';

let workspace: Workspace = { root: '', configurationPath: null };
beforeEach(() => {
  workspace = { root: realpathSync(mkdtempSync(join(tmpdir(), 'waybill-tasks-'))), configurationPath: null };
  mkdirSync(join(workspace.root, 'waybill.tasks'));
});
afterEach(() => rmSync(workspace.root, { recursive: true, force: true }));

function write(name: string, content: string | Uint8Array): void {
  writeFileSync(join(workspace.root, 'waybill.tasks', name), content);
}

test('R38 a task is its front matter and its text', async () => {
  write(
    'T-0042.md',
    `---
title: "Greeting: in three languages"
inputs:
  languages: [de, fr, es]
  since: 2026-01-01
expectedOutputs: [src/greet.js]
checks:
  - kind: command
    name: tests
    command: [npm, test]
    timeoutMs: 60000
  - { kind: file, name: readme, path: README.md }
---
# Goal

Greet people.

---
Not the end of the front matter.
`,
  );
  expect(await readTask(workspace, 'T-0042')).toEqual({
    id: 'T-0042',
    path: 'waybill.tasks/T-0042.md',
    title: 'Greeting: in three languages',
    inputs: { languages: ['de', 'fr', 'es'], since: '2026-01-01' },
    expectedOutputs: ['src/greet.js'],
    checks: [
      { kind: 'command', name: 'tests', command: ['npm', 'test'], timeoutMs: 60000 },
      { kind: 'file', name: 'readme', path: 'README.md' },
    ],
    goal: '# Goal\n\nGreet people.\n\n---\nNot the end of the front matter.',
    digest: expect.stringMatching(/^sha256:/),
  });
});

test('R38 Windows line ends and a byte order mark change nothing', async () => {
  write('w.md', '\uFEFF---\r\ntitle: T\r\n---\r\nDo it.\r\n');
  expect(await readTask(workspace, 'w')).toMatchObject({ title: 'T', goal: 'Do it.', inputs: {} });
});

test('R38 an unknown id exits 2 and names the nearest', async () => {
  for (const id of ['T-0100', 'T-0042', 'cleanup']) await addTask(workspace, { id, title: id, goal: 'Do it.' });
  await expect(readTask(workspace, 'T-0024')).rejects.toMatchObject({
    code: 'task_not_found',
    exitCode: 2,
    hint: expect.stringMatching(/^Did you mean T-0042\?/),
  });
  await expect(readTask(workspace, 'something-else')).rejects.toMatchObject({
    code: 'task_not_found',
    hint: 'See them all with `waybill tasks list`.',
  });
  rmSync(join(workspace.root, 'waybill.tasks'), { recursive: true });
  await expect(readTask(workspace, 'T-0001')).rejects.toMatchObject({
    hint: expect.stringContaining('waybill tasks add T-0001'),
  });
});

test('R29 no id leads out of the folder, and no link does', async () => {
  writeFileSync(join(workspace.root, 'secret.md'), '---\ntitle: s\n---\nsecret');
  for (const id of ['../secret', '..', '.', '', 'a/b', 'a\\b', 'a\0b', '/etc/passwd', 'x'.repeat(129), 'a b']) {
    await expect(readTask(workspace, id)).rejects.toMatchObject({ code: 'invalid_id' });
    await expect(addTask(workspace, { id, title: 't', goal: 'g' })).rejects.toMatchObject({ code: 'invalid_id' });
  }
  const outside = mkdtempSync(join(tmpdir(), 'waybill-outside-'));
  try {
    writeFileSync(join(outside, 'o.md'), '---\ntitle: o\n---\noutside');
    symlinkSync(join(outside, 'o.md'), join(workspace.root, 'waybill.tasks', 'link.md'));
    await expect(readTask(workspace, 'link')).rejects.toMatchObject({ code: 'invalid_path' });
    rmSync(join(workspace.root, 'waybill.tasks'), { recursive: true });
    symlinkSync(outside, join(workspace.root, 'waybill.tasks'));
    await expect(addTask(workspace, { title: 't', goal: 'g' })).rejects.toMatchObject({ code: 'invalid_path' });
    expect(readdirSync(outside)).toEqual(['o.md']);
  } finally {
    rmSync(outside, { recursive: true, force: true });
  }
});

test.each<[string, string | Uint8Array, string]>([
  ['nothing', '', 'line 1'],
  ['no front matter', 'Just text', 'line 1'],
  ['no end', '---\ntitle: x\n', 'line 1'],
  ['an empty front matter', '---\n---\ntext', 'title'],
  ['no goal', '---\ntitle: x\n---\n  \n', 'the goal'],
  ['a list', '---\n- a\n---\ntext', 'line 2'],
  ['broken YAML', '---\ntitle: x\ninputs: {a: [}\n---\ntext', 'line 3'],
  ['a key twice', '---\ntitle: x\ntitle: y\n---\ntext', 'line 3'],
  ['a tag nobody knows', '---\ntitle: !js x\n---\ntext', 'line 2'],
  ['an unknown setting', '---\ntitle: x\ncheks: []\n---\ntext', 'cheks'],
  [
    'a check without command',
    '---\ntitle: x\nchecks: [{kind: command, name: a, command: []}]\n---\ntext',
    'checks[0].command',
  ],
  ['a kind of check nobody has', '---\ntitle: x\nchecks: [{kind: magic, name: a}]\n---\ntext', 'checks[0].kind'],
  ['what JSON cannot hold', '---\ntitle: x\ninputs: {a: .nan}\n---\ntext', 'inputs.a'],
  ['bytes that are not UTF-8', new Uint8Array([0x2d, 0x2d, 0x2d, 0x0a, 0xff, 0xfe]), 'not UTF-8'],
  [
    'too many aliases',
    `---\ntitle: x\ninputs:\n  a: &a [1,1,1,1,1,1,1,1,1]\n  b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n  c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n  d: [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n---\ntext`,
    'alias',
  ],
  ['more than a mebibyte', `---\ntitle: x\n---\n${'x'.repeat(1_048_577)}`, 'larger than'],
])('R38 a task file with %s is task_invalid and says where', async (_, content, where) => {
  write('bad.md', content);
  await expect(readTask(workspace, 'bad')).rejects.toMatchObject({
    code: 'task_invalid',
    exitCode: 2,
    message: expect.stringContaining(where),
  });
});

test('R38 what is added is read back, whatever its text', async () => {
  const line = fc
    .string({ minLength: 1, maxLength: 60, unit: 'grapheme' })
    .filter((text) => text.trim() !== '' && !text.includes('\0') && text.isWellFormed());
  await fc.assert(
    fc.asyncProperty(line, line, fc.array(line, { maxLength: 3 }), async (title, goal, commands) => {
      const added = await addTask(workspace, { title, goal, commands, expectedOutputs: commands });
      expect(await readTask(workspace, added.id)).toEqual(added);
      expect(added).toMatchObject({ title: title.trim(), goal: goal.trim(), expectedOutputs: commands });
      expect(added.checks.map((check) => check.kind === 'command' && check.command[2])).toEqual(commands);
    }),
    { numRuns: 60 },
  );
});

test('R38 ids are numbered on, and two at once get two numbers', async () => {
  await addTask(workspace, { id: 'T-0041', title: 't', goal: 'g' });
  const added = await Promise.all([1, 2, 3, 4].map((n) => addTask(workspace, { title: `t${n}`, goal: 'g' })));
  expect(added.map(({ id }) => id).sort()).toEqual(['T-0042', 'T-0043', 'T-0044', 'T-0045']);
  await expect(addTask(workspace, { id: 'T-0042', title: 'again', goal: 'g' })).rejects.toMatchObject({
    code: 'task_exists',
    exitCode: 2,
  });
});

test('R38 the list shows every file, the broken ones with their problem', async () => {
  await addTask(workspace, { id: 'b', title: 'B', goal: 'g' });
  write('a.md', 'no task');
  write('not an id.md', '---\ntitle: x\n---\ntext');
  write('notes.txt', 'not ours');
  const listed = await listTasks(workspace);
  expect(listed.map(({ path, task, problem }) => [path, task?.title ?? null, problem?.code ?? null])).toEqual([
    ['waybill.tasks/a.md', null, 'task_invalid'],
    ['waybill.tasks/b.md', 'B', null],
    ['waybill.tasks/not an id.md', null, 'task_invalid'],
  ]);
});
