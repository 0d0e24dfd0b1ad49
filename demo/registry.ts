import { createHash } from 'node:crypto';
import { cp, mkdtemp, readFile, realpath, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import { program, waybill, waybillInBackground, waybillJson } from './programs.ts';
import { registryCalls } from './registry-calls.ts';
import { claim, fail, say, stage } from './tell.ts';
import { receiveWebhooks } from './webhook-receiver.ts';

// `npm run demo:registry`: a release over HTTP, from the draft to the news of it, with everything that is refused on the
// way. Every line with a check mark was looked at; the first one that does not hold ends the demo with exit code 1.

process.on('uncaughtException', (error) => fail(error.message));
const began = Date.now();
const madeDraft = z.object({ versionId: z.string(), reusedDraft: z.boolean() });
const published = z.object({ idempotent: z.boolean(), version: z.object({ digest: z.string(), state: z.string() }) });
const digestOf = (bytes: Uint8Array) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
say("Waybill's registry: what is published is complete, is never changed, and others are told of it exactly as it is.");

stage(
  'A workspace that serves a registry',
  'Every workspace has the repo `local`. The daemon listens on this machine only, and asks for a token. Somebody',
  'wants to be told of releases: a webhook, to a program that checks signatures. It is not up yet.',
);
const project = join(await realpath(await mkdtemp(join(tmpdir(), 'waybill-registry-'))), 'shop');
await program(tmpdir(), ['git', 'init', '--quiet', project], { aloud: false });
await writeFile(
  join(project, 'waybill.config.ts'),
  `import { defineConfig } from 'waybill';

export default defineConfig({
  // The receiver of the demo listens on this machine, and need not be waited for as long as one on the internet.
  webhooks: { allowPrivate: ['127.0.0.1'], backoffMs: 200, maxBackoffMs: 400, maxAttempts: 50 },
});
`,
);
say(`   The workspace: ${project}`, '');
claim('`waybill init` makes it a workspace', (await waybill(project, ['init'])).exitCode === 0);
const daemon = waybillInBackground(project, ['serve', '--port', '0'], {
  hides: (line) => line.startsWith('{'),
});
const address = await daemon.line((line) => line.startsWith('http://'));
await daemon.line((line) => line.startsWith('docs'));
const receiver = await receiveWebhooks();
receiver.open = false;
const [webhook] = await waybillJson(project, ['webhooks', 'make', receiver.url]);
const { id: webhookId, secret } = z.object({ id: z.string(), secret: z.string() }).parse(webhook);
receiver.secret = secret;
say(`   $ waybill webhooks make ${receiver.url}`, `   | ${webhookId}, and its secret, shown this once`);
const call = registryCalls(address, (await readFile(join(project, '.waybill', 'keys', 'token'), 'utf8')).trim());
const root = '/v1/repos/local';
const versions = `${root}/packages/versions`;

stage(
  'A draft',
  'Bytes first, under the digest they must have; then the draft of shop 1.0.0 with its file, and a manifest.',
);
const shop = Buffer.from('export const total = (prices) => prices.reduce((sum, price) => sum + price, 0);\n');
const digest = digestOf(shop);
const entry = { path: 'shop.js', digest, size: shop.length };
const coordinate = { type: 'npm', name: 'shop', version: '1.0.0' };
const torn = await call('PUT', `${root}/blobs/${digest}`, { body: shop.subarray(0, 40) });
claim(
  'bytes that arrive torn are refused, with the digest they have: nothing of them is kept',
  torn.status === 409 && torn.problem?.code === 'digest_mismatch',
);
const early = await call('POST', `${versions}/drafts`, { body: { ...coordinate, entries: [entry] } });
claim(
  'a draft cannot name a file that is not there: the digest that is missing is listed',
  early.status === 409 && early.problem?.code === 'blob_not_found' && early.bytes.includes(digest),
);
claim('the whole file is taken in', (await call('PUT', `${root}/blobs/${digest}`, { body: shop })).status === 201);
const draft = await call('POST', `${versions}/drafts`, { body: { ...coordinate, entries: [entry] } });
const { versionId } = draft.json(madeDraft);
claim('the draft is made: 201', draft.status === 201);
const again = await call('POST', `${versions}/drafts`, { body: coordinate });
claim(
  'the same request again finds it: 200, no second draft',
  again.status === 200 && again.json(madeDraft).reusedDraft && again.json(madeDraft).versionId === versionId,
);
const bad = [
  { ...entry, path: '../shop.js' },
  { ...entry, path: 'C:\\shop.js' },
];
const paths = await call('POST', `${versions}/${versionId}/entries`, { body: { entries: bad } });
claim(
  'paths that lead elsewhere are refused, each at its place in the request',
  paths.status === 400 && bad.every((_, index) => paths.bytes.includes(`entries[${index}].path`)),
);

stage(
  'Refusals',
  'A publish is one transaction behind guards. Each guard that refuses has its own code, says everything that is',
  'missing, and leaves the draft as it was.',
);
const publish = (id: string, body: unknown = {}) => call('POST', `${versions}/${id}/publish`, { body });
const bare = await publish(versionId);
claim('without a manifest: 409', bare.status === 409 && bare.problem?.code === 'manifest_missing');
const putManifest = (id: string, manifest: unknown) => call('PUT', `${versions}/${id}/manifest`, { body: manifest });
const wrong = await putManifest(versionId, { name: 'shopp', version: '2.0.0' });
claim(
  'the manifest of another package: 422, each problem with its JSON pointer',
  wrong.status === 422 && wrong.bytes.includes('/name') && wrong.bytes.includes('/version'),
);
const manifest = { name: 'shop', version: '1.0.0', main: 'shop.js' };
claim('the right manifest is taken', (await putManifest(versionId, manifest)).status === 200);
const ruled = await waybill(project, [
  ...['rules', 'make', 'size', '--bytes', '10', '--of', 'entry', '--blocks', 'publish'],
  ...['--reason', 'this week only tiny files'],
]);
const ruleId = ruled.lines.join(' ').match(/rule_[0-9a-f]{16}/)?.[0] ?? '';
const policy = await publish(versionId);
claim(
  'a rule decides, not who asks: 403 with the rule and its reason, for the administrator too',
  policy.status === 403 && policy.problem?.code === 'policy_refused' && policy.bytes.includes('only tiny files'),
);
claim('the rule is ended', (await waybill(project, ['rules', 'remove', ruleId])).exitCode === 0);
const expected = await publish(versionId, { digest: `sha256:${'0'.repeat(64)}` });
claim(
  'who expects other content gets both digests instead of a release',
  expected.status === 409 && expected.problem?.code === 'version_conflict',
);

stage('Publish, and retry', 'Twenty programs publish the same draft at the same moment. Then one does it again.');
const twenty = await Promise.all(
  Array.from({ length: 20 }, () => call('POST', `${versions}/${versionId}/publish`, { body: {}, aloud: false })),
);
const first = twenty.map((answer) => answer.json(published));
say(`   $ POST ${versions}/${versionId}/publish  {}   (20 at once)`);
say(`   | ${twenty.map(({ status }) => status).join(' ')}`);
claim(
  'all are told 200, and exactly one of them published it',
  twenty.every(({ status }) => status === 200) && first.filter(({ idempotent }) => !idempotent).length === 1,
);
const retried = await publish(versionId);
claim(
  'a retry is harmless: 200, `idempotent`, the same digest',
  retried.status === 200 &&
    retried.json(published).idempotent &&
    first.every(({ version }) => version.digest === retried.json(published).version.digest),
);
const taken = await call('POST', `${versions}/drafts`, { body: coordinate });
claim('the coordinate is taken: 409', taken.status === 409 && taken.problem?.code === 'version_exists');
const late = await call('POST', `${versions}/${versionId}/entries`, {
  body: { entries: [{ ...entry, path: 'b.js' }] },
});
claim('no file is added any more: 409', late.status === 409 && late.problem?.code === 'version_immutable');
const file = await call('GET', `${root}/packages/npm/shop/versions/1.0.0/files/shop.js`);
claim(
  'the file comes back by name, version and path, byte for byte',
  file.status === 200 && digestOf(file.bytes) === digest,
);
const database = new DatabaseSync(join(project, '.waybill', 'waybill.db'));
let guard = '';
try {
  database.prepare("UPDATE version_entry SET digest = 'other' WHERE version = ?").run(versionId);
} catch (error) {
  guard = String(error);
}
database.close();
say('', '   $ sqlite3 .waybill/waybill.db "UPDATE version_entry SET digest = \'other\'"', `   | ${guard}`);
claim('the database itself refuses a change, on any connection', guard.includes('version_immutable'));

stage(
  'The outbox, and a receiver that was down',
  'The event of the release was written in the transaction of the publish. The receiver has answered 503 so far;',
  'now it is up.',
);
await receiver.until(() => receiver.refused() > 0);
receiver.open = true;
await receiver.until(() => receiver.received.length > 0);
const [news] = receiver.received;
say(`   The receiver: ${JSON.stringify(news?.event).slice(0, 110)}...`);
claim('it was told again until it listened', receiver.refused() > 0 && news !== undefined);
claim('its signature is that of the secret, over these very bytes (Standard Webhooks)', news?.signed === true);
claim(
  'it is a CloudEvent of this release, with its digest',
  news?.event.type === 'dev.waybill.version.published' &&
    news.event.data.digest === retried.json(published).version.digest,
);
const next = { type: 'npm', name: 'shop', version: '1.1.0', entries: [entry] };
const second = (await call('POST', `${versions}/drafts`, { body: next })).json(madeDraft).versionId;
await putManifest(second, { ...manifest, version: '1.1.0' });
claim('1.1.0 is published', (await publish(second)).status === 200);
await receiver.until(() => receiver.received.length > 1);
await waybill(project, ['webhooks', 'deliveries', webhookId]);
claim(
  'after all those publishes, retries and refusals there is one event for each release, in order',
  receiver.received.map(({ event }) => event.data.version).join() === '1.0.0,1.1.0' &&
    new Set(receiver.received.map(({ event }) => event.id)).size === 2,
);

stage('The audit', 'Who did what, with which outcome; refusals too. Each record holds the hash of the one before.');
const listed = await waybill(project, ['audit', 'list', '--resource', versionId]);
const actions = (await waybillJson(project, ['audit', 'list', '--resource', versionId, '--limit', '100'])).map((each) =>
  JSON.stringify(each),
);
claim('it is listed by what it is about', listed.exitCode === 0 && actions.length > 0);
const records = actions.join('\n');
claim(
  'three refused publishes, and one that published',
  records.split('"package.version.publish.refused"').length === 4 &&
    records.split('"package.version.published"').length === 2,
);
claim('the chain is intact', (await waybill(project, ['audit', 'verify'])).exitCode === 0);
daemon.kill('SIGTERM');
claim('at SIGTERM the daemon ends in order', (await daemon.ended).exitCode === 0);
const forged = join(project, '..', 'forged');
await cp(project, forged, { recursive: true });
const copy = new DatabaseSync(join(forged, '.waybill', 'waybill.db'));
for (const { name } of copy
  .prepare("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit'")
  .all()) {
  copy.exec(`DROP TRIGGER ${String(name)}`);
}
copy.exec("UPDATE audit SET actor = 'local:somebody' WHERE action = 'package.version.published'");
copy.close();
say(
  '',
  '   In a copy, somebody with the file drops the guards and writes another name into the record of the release.',
);
const caught = await waybill(forged, ['audit', 'verify']);
claim(
  '`audit verify` says so, and names the record',
  caught.exitCode === 1 && /record|audit/.test(caught.lines.join(' ')),
);
receiver.close();

stage('Where to look next', 'The workspace of the demo is yours to play with:');
say(
  `   cd ${project}`,
  `   ${join(import.meta.dirname, '..', 'bin', 'waybill')} packages show shop@1.1.0`,
  '',
  '   docs/api.md has every route. `npm run demo` ends with a package that was made by agents, signed and verified.',
  '',
  `   All of it held, in ${((Date.now() - began) / 1000).toFixed(0)} seconds.`,
);
