// Waybill's registry. Over HTTP: `waybill serve` in a process of its own, the client here; a publish is one request that
// holds everything, as that of npm does. `steps`: the blob, the draft with its entry, the manifest and the publish, one
// request each. `inside`: what the one request does, without HTTP and in this process.
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import { parseConfiguration } from '../src/contract/configuration.ts';
import { idShapes, parseId } from '../src/contract/ids.ts';
import { buildRegistry } from '../src/domain/registry/build-registry.ts';
import { publishWhole } from '../src/domain/registry/publish/publish-whole.ts';
import { allMigrations } from '../src/domain/workspace/all-migrations.ts';
import { createHost } from '../src/executors/processes/host.ts';
import { createFolderBlobs } from '../src/platform/blobs/folder-blobs.ts';
import { systemClock } from '../src/platform/clock/clock.ts';
import { digestOf } from '../src/platform/digests/digest.ts';
import { openSqliteStore } from '../src/platform/store/sqlite/open.ts';
import { makeDaemonWorkspace, startDaemon } from './daemon.ts';
import { report } from './peers/measure.mjs';
import { measureRegistry, type RegistryDriver, readRegistryLoad } from './peers/measure-registry.mjs';
import { openClient } from './peers/registry-client.mjs';

const load = readRegistryLoad();
const repo = 'local';
const fileName = 'package.tgz';
const draftAnswer = z.object({ versionId: z.string().regex(idShapes.version) });

interface Opened {
  readonly database: string;
  readonly driver: RegistryDriver;
  readonly settings: string;
  close(): Promise<void>;
}

async function overHttp(how: 'whole' | 'steps'): Promise<Opened> {
  const workspace = makeDaemonWorkspace(load.data);
  const daemon = await startDaemon(workspace);
  const client = openClient(daemon.url, load.inFlight);
  const allowed = { authorization: `Bearer ${daemon.token}` };
  const json = { ...allowed, 'content-type': 'application/json' };
  const root = `/v1/repos/${repo}`;
  const versions = `${root}/packages/versions`;
  const putBytes = async (digest: string, body: Uint8Array | readonly Uint8Array[]) => {
    const place = `${root}/blobs/${digest}`;
    await client.must([201], 'PUT', place, {
      headers: { ...allowed, 'content-type': 'application/octet-stream' },
      body,
    });
    return place;
  };
  const whole = async (place: string) => (await client.must([200], 'GET', place, { headers: allowed })).body;
  const publishInSteps = async (name: string, version: string, file: Buffer) => {
    const digest = digestOf(file);
    await putBytes(digest, file);
    const entries = [{ path: fileName, digest, size: file.length }];
    const body = JSON.stringify({ type: 'npm', name, version, entries });
    const made = await client.must([201], 'POST', `${versions}/drafts`, { headers: json, body });
    const { versionId } = draftAnswer.parse(JSON.parse(made.body.toString()));
    const manifest = JSON.stringify({ name, version });
    await client.must([200], 'PUT', `${versions}/${versionId}/manifest`, { headers: json, body: manifest });
    await client.must([200], 'POST', `${versions}/${versionId}/publish`, { headers: json, body: '{}' });
  };
  const publishAtOnce = async (name: string, version: string, file: Buffer) => {
    const manifest = { content: Buffer.from(JSON.stringify({ name, version })).toString('base64') };
    const files = [{ path: fileName, content: file.toString('base64') }];
    const body = JSON.stringify({ type: 'npm', name, version, files, manifest });
    await client.must([201], 'POST', versions, { headers: json, body });
  };
  return {
    database: join(workspace, '.waybill', 'waybill.db'),
    close: daemon.stop,
    settings:
      how === 'steps'
        ? 'the same, with four requests a publish: blob, draft with its entry, manifest, publish'
        : '`waybill serve` on node:sqlite, journal_mode=wal, synchronous=FULL; each blob synced with its folder; one request a publish',
    driver: {
      pid: daemon.pid,
      publish: how === 'steps' ? publishInSteps : publishAtOnce,
      fetch: (name, version) => whole(`${root}/packages/npm/${name}/versions/${version}/files/${fileName}`),
      upload: async (_name, parts, sha256) => () => putBytes(`sha256:${sha256}`, parts),
      download: (place) => client.download(place, allowed),
      whole,
    },
  };
}

async function inside(): Promise<Opened> {
  const folder = join(load.data, 'inside');
  mkdirSync(folder);
  const database = join(folder, 'waybill.db');
  const store = await openSqliteStore({ path: database, migrations: allMigrations() });
  const blobs = createFolderBlobs(join(folder, 'blobs'));
  const { registry: settings } = parseConfiguration({});
  const registry = buildRegistry({ store, clock: systemClock, host: createHost(), blobs, settings });
  const by = 'local:bench';
  return {
    database,
    close: () => store.close(),
    settings: 'the same store and what the one request does, in the process of the client: no HTTP, no daemon',
    driver: {
      pid: process.pid,
      publish: async (name, version, file) => {
        const files = [{ path: fileName, bytes: file, mediaType: null }];
        const manifest = { bytes: Buffer.from(JSON.stringify({ name, version })), mediaType: null };
        const published = await publishWhole(registry, { repo, type: 'npm', name, version, files, manifest }, by);
        if (published.idempotent) throw new Error(`${name}@${version} was published before`);
      },
      fetch: async (name, version) => {
        const found = await store.read(({ db }) =>
          db
            .selectFrom('version_entry')
            .innerJoin('version', 'version.id', 'version_entry.version')
            .innerJoin('package', 'package.id', 'version.package')
            .select('version_entry.digest')
            .where('package.name', '=', name)
            .where('version.version', '=', version)
            .executeTakeFirstOrThrow(),
        );
        return Buffer.from(await blobs.get(parseId('digest', found.digest)));
      },
    },
  };
}

const how = process.argv[3];
const opened = how === 'inside' ? await inside() : await overHttp(how === 'steps' ? 'steps' : 'whole');
const count = (table: string, condition: string) => {
  const database = new DatabaseSync(opened.database, { readOnly: true });
  const found = Number(database.prepare(`SELECT count(*) AS n FROM ${table} WHERE ${condition}`).get()?.n);
  database.close();
  return found;
};
const measured = await measureRegistry(load, {
  ...opened.driver,
  count: () => {
    const published = count('version', "state = 'published'");
    const told = count('outbox', "type = 'dev.waybill.version.published'");
    const recorded = count('audit', "action = 'package.version.published'");
    if (told !== published || recorded !== published) {
      throw new Error(`${published} versions, ${told} events, ${recorded} audit records`);
    }
    return published;
  },
});
await opened.close();
const packageJson = z.object({ version: z.string() });
const { version } = packageJson.parse(JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')));
report({ ...measured, version, settings: opened.settings });
process.exit(0);
