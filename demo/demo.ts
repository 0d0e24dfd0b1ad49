import { createHash } from 'node:crypto';
import { copyFile, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { freePort } from './free-port.ts';
import { commit, makeProject } from './make-project.ts';
import { inBackground, program, shell, waybill, waybillInBackground } from './programs.ts';
import { readRun } from './read-run.ts';
import { claim, fail, say, stage } from './tell.ts';

// `npm run demo`: the main job on a real git repository, from the task to the proof, with a crash in the middle. Every
// line with a check mark was looked at; the first one that does not hold ends the demo with exit code 1.

const refusalSchema = z.object({ status: z.int(), issues: z.array(z.object({ path: z.string() })) });
process.on('uncaughtException', (error) => fail(error.message));
const began = Date.now();
say('Waybill runs agents and build jobs so that nothing is lost and everything can be proven.');

stage(
  'A repository with a task',
  'A small shop with a real test suite. One test fails: it asks for a discount nobody has written.',
);
const project = await makeProject();
say(`   The repository: ${project}`, '');
const before = await program(project, ['node', '--test', '--test-reporter=tap'], { aloud: false });
claim('its test suite fails, in one test of three', before.exitCode === 1 && before.lines.includes('# fail 1'));
claim('`waybill init` makes it a workspace', (await waybill(project, ['init'])).exitCode === 0);
await commit(project, 'Make it a workspace');
await waybill(project, ['tasks', 'show', 'T-0001']);

stage(
  'Agents do the task, and the machine dies',
  'Three agents, each a process of its own: a builder edits the files and runs the tests, a reviewer looks at',
  'the code, a spec maintainer writes SPEC.md. While the builder is at work on what the review found, the demo',
  'kills Waybill with SIGKILL: no program can notice that. (The agents are small programs, not models.)',
);
const killed = await waybill(project, ['run', '--task', 'T-0001'], {
  onLine: (line, kill) => {
    if (line.includes('thinking about a test')) kill();
  },
});
claim('the process of the run was killed, half-way through a step', killed.signal === 'SIGKILL');
const runId = killed.lines.map((line) => /^run-[0-9a-f-]+/.exec(line)?.[0]).find((id) => id !== undefined) ?? '';

stage(
  'What is left',
  'Everything the run did was on disk before anyone saw it. It knows which step was at work, and under which',
  'idempotency key: the name of exactly this work, made of its inputs, the tree it began with and its place.',
);
await waybill(project, ['show', runId]);
const dead = await readRun(project, runId);
const [pending] = dead.pending;
claim('the run says that it was interrupted, not that it is running', dead.interrupted);
claim('two steps have receipts, and implement_changes is pending', namesOf(dead) === 'implement, review');
claim('it began with a snapshot of the tree', dead.snapshot.id.startsWith('snap-'));

stage(
  'Resume',
  'The workflow starts from its first line. Steps with a receipt are answered from it; the one that was',
  'interrupted is sent again, under the same key, on top of the edit the dead builder left in the tree.',
);
const resumed = await waybill(project, ['resume', runId]);
claim('the run is done', resumed.exitCode === 0);

stage('Nothing lost, nothing done twice', 'Asked of the ledger, the list of all events of the run:');
await waybill(project, ['show', runId, '--receipts']);
const done = await readRun(project, runId);
const starts = (key: string | undefined) =>
  done.events.filter((event) => event.type === 'attempt.started' && event.data.idempotencyKey === key);
claim(
  'the loop went its whole way: implement, review, implement_changes, review, update_spec',
  namesOf(done) === 'implement, review, implement_changes, review, update_spec',
);
claim(
  'the receipts from before the crash are the same, byte for byte',
  JSON.stringify(done.receipts.slice(0, 2)) === JSON.stringify(dead.receipts),
);
claim(
  'the interrupted step was sent twice under one key, every other step once',
  starts(pending?.idempotencyKey).length === 2 &&
    done.receipts.every(
      ({ idempotencyKey }) => idempotencyKey === pending?.idempotencyKey || starts(idempotencyKey).length === 1,
    ),
);
claim(
  'events are numbered without gaps, and the last one says how it ended',
  done.events.every(({ seq }, index) => seq === index + 1) && done.events.at(-1)?.type === 'run.succeeded',
);
const after = await program(project, ['node', '--test', '--test-reporter=tap'], { aloud: false });
claim('the test suite passes, with one test more', after.exitCode === 0 && after.lines.includes('# pass 4'));
await program(project, ['git', 'diff', '--stat']);

stage(
  'Proof',
  'One file holds the ledger, the receipts, the snapshots and the files that were made. `verify` needs nothing',
  'else: it computes every digest and the whole chain again, on any machine, offline.',
);
const bundle = join(dirname(project), 'evidence.json');
claim('the bundle is written', (await waybill(project, ['export', runId, '--out', bundle])).exitCode === 0);
claim('it is intact', (await waybill(dirname(project), ['verify', bundle])).exitCode === 0);

stage('A lie', 'Somebody changes one byte of a copy, so that the reviewer found something else.');
const forged = join(dirname(project), 'forged.json');
await copyFile(bundle, forged);
const bytes = await readFile(forged);
const at = bytes.indexOf('a price of -500 is accepted') + 'a price of -'.length;
bytes[at] = '4'.charCodeAt(0);
await writeFile(forged, bytes);
say(`   Byte ${at} of ${(await stat(forged)).size} was 5 and is 4 now.`, '');
const caught = await waybill(dirname(project), ['verify', forged]);
claim(
  'verify says so, and names the first link that is broken',
  caught.exitCode === 1 && caught.lines.some((line) => /✗ event \d+: digest/.test(line)),
);

stage(
  'A daemon, and a tool',
  'Other programs use the workspace over HTTP: on this machine only, and with a token. A tool is described once,',
  'in waybill.tools/invoices/tool.json: what it takes, what it gives, what it may do.',
);
const port = await freePort();
const address = `http://127.0.0.1:${port}`;
const daemon = waybillInBackground(project, ['serve', '--port', String(port)]);
claim('it says first where it is', (await daemon.line(() => true)) === address);
await daemon.line((line) => line.startsWith('docs'));
const tools = await waybill(project, ['tools']);
claim(
  '`waybill tools` asks it, and finds the tool',
  tools.lines.some((line) => line.startsWith('invoices')),
);
const post = (body: string) =>
  shell(
    project,
    `curl -sS ${address}/v1/runs -H "authorization: Bearer $(cat .waybill/keys/token)" -H 'content-type: application/json' -d '${body}'`,
  );
const refused = await post('{"tool": "invoices", "input": {"orders": [{"id": "1"}]}}');
const problem = refusalSchema.parse(JSON.parse(refused.lines.join('')));
claim(
  'input that does not fit the schema is refused before any run exists, with the path of each problem',
  problem.status === 400 && problem.issues.some(({ path }) => path.startsWith('body.input.orders[0]')),
);

stage(
  'A follower, and the daemon dies',
  'A program of somebody else (watch.js, eight lines with waybill/client) follows a run of the tool. In the middle',
  'the demo kills the daemon with SIGKILL, and starts it again. Nobody tells the follower.',
);
const submit = ['submit', 'invoices', '--input', '@orders.json', '--key', 'november'];
const submitted = await waybill(project, submit);
const invoiceRun = submitted.lines.find((line) => line.startsWith('run-')) ?? '';
const follower = inBackground(project, [process.execPath, 'watch.js', invoiceRun], `node watch.js ${invoiceRun} &`);
await follower.line((line) => line.includes('order A-3'));
daemon.kill('SIGKILL');
claim('the daemon was killed while the tool was at work', (await daemon.ended).signal === 'SIGKILL');
const again = waybillInBackground(project, ['serve', '--port', String(port)]);
const watched = await follower.ended;
const seqs = watched.lines.map((line) => Number(line.split(' ')[0]));
claim(
  'the follower went on by itself to the end, and saw each event once, in order, without a gap',
  watched.exitCode === 0 && seqs.length > 10 && seqs.every((seq, index) => seq === index + 1),
);
claim('the run is done', watched.lines.at(-1)?.endsWith('run.succeeded') === true);
const invoiced = await readRun(project, invoiceRun);
const attempts = invoiced.events.filter(({ type }) => type === 'attempt.started');
claim(
  'the tool was called twice under one idempotency key, and no invoice was written twice',
  attempts.length === 2 &&
    new Set(attempts.map(({ data }) => data.idempotencyKey)).size === 1 &&
    (await readFile(join(project, 'invoices', 'log.txt'), 'utf8')) === 'A-1\nA-2\nA-3\nA-4\nA-5\nA-6\n',
);
claim('the same submit again is the same run', (await waybill(project, submit)).lines.includes(invoiceRun));
const since = seqs.length - 3;
const tail = await shell(
  project,
  `curl -sSN ${address}/v1/runs/${invoiceRun}/events?follow=true -H "authorization: Bearer $(cat .waybill/keys/token)" -H 'accept: text/event-stream' -H 'last-event-id: ${since}' | cut -c1-100`,
);
claim(
  `curl that comes back with Last-Event-ID ${since} gets the last three events`,
  tail.lines.filter((line) => line.startsWith('id: ')).join() ===
    [since + 1, since + 2, since + 3].map((seq) => `id: ${seq}`).join(),
);
claim('the run is intact', (await waybill(project, ['verify', invoiceRun])).exitCode === 0);
again.kill('SIGTERM');
claim('at SIGTERM the daemon ends in order', (await again.ended).exitCode === 0);

stage(
  'A release',
  'What the agents made becomes version 1.0.0 of a package, in one transaction, with an attestation that says which run',
  'made it out of which commit, signed with the key of this workspace.',
);
claim('the workspace gets a key', (await waybill(project, ['keys', 'init'])).exitCode === 0);
const publish = ['publish', runId, '--package', 'tin-shop', '--version', '1.0.0'];
claim('it is published', (await waybill(project, publish)).exitCode === 0);
const twice = await waybill(project, publish, { aloud: false });
claim(
  'the same command again does nothing, and says so',
  twice.exitCode === 0 && twice.lines.join(' ').includes('was published before'),
);
const links = ['package', 'attestation', 'run', 'receipts', 'ledger', 'snapshot', 'commit'];
const verified = await waybill(project, ['verify', 'tin-shop@1.0.0']);
claim(
  'it is verified, offline, link by link from the files back to the commit',
  verified.exitCode === 0 && links.every((link) => verified.lines.some((line) => line.startsWith(`  ✓ ${link} `))),
);
const madeFile = join(project, 'src', 'total.js');
const hex = createHash('sha256')
  .update(await readFile(madeFile))
  .digest('hex');
const stored = join(project, '.waybill', 'blobs', 'sha256', hex.slice(0, 2), hex);
const whole = await readFile(stored);
const changed = Buffer.from(whole);
changed[100] = (changed[100] ?? 0) ^ 1;
await writeFile(stored, changed);
say('', '   Somebody changes one bit of src/total.js as the registry keeps it.');
const broken = await waybill(project, ['verify', 'tin-shop@1.0.0']);
claim(
  'verify names the link that is broken, and the file',
  broken.exitCode === 1 &&
    broken.lines.some((line) => line.startsWith('  ✗ package')) &&
    broken.lines.join().includes('src/total.js'),
);
await writeFile(stored, whole);
const healed = await waybill(project, ['verify', 'tin-shop@1.0.0'], { aloud: false });
claim('with the bit as it was, it is intact again', healed.exitCode === 0);

stage('Where to look next', 'The repository of the demo is yours to play with:');
say(
  `   cd ${project}`,
  '   git diff                 what the agents changed',
  '   cat agents/builder.ts    an agent; waybill.config.ts names it',
  '   ls .waybill/runs/*       the evidence as files',
  '   cat watch.js             a follower; waybill.tools/invoices/ is the tool',
  `   ${join(import.meta.dirname, '..', 'bin', 'waybill')} events ${runId}`,
  '                            the ledger, event by event',
  '',
  '   README.md has a tour of five minutes, docs/resume.md what survives which crash, docs/idempotency.md what a',
  '   key is made of, docs/daemon.md the daemon, docs/tools.md tools, examples/release/ a workflow with an approval.',
  '   In a repository of yours: waybill init',
  '',
  `   All of it held, in ${((Date.now() - began) / 1000).toFixed(0)} seconds.`,
);

function namesOf(run: { readonly receipts: readonly { readonly step: { readonly name: string } }[] }): string {
  return run.receipts.map(({ step }) => step.name).join(', ');
}
