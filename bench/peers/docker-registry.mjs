// Debian's docker-registry with files in a folder. A small publish is an image of one layer: layer and configuration as
// blobs (POST, then PUT with all bytes), then the manifest under its tag.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { globSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { report } from './measure.mjs';
import { measureRegistry, readRegistryLoad } from './measure-registry.mjs';
import { freePort, openClient, untilItAnswers } from './registry-client.mjs';

const load = readRegistryLoad();
const program = process.argv[3] ?? 'docker-registry';
const port = await freePort();
const url = `http://127.0.0.1:${port}`;
const config = join(load.data, 'docker-registry.yaml');
const files = join(load.data, 'docker-registry');
writeFileSync(
  config,
  `version: 0.1
log: { level: error, accesslog: { disabled: true } }
storage: { filesystem: { rootdirectory: ${files} }, cache: { blobdescriptor: inmemory } }
http: { addr: '127.0.0.1:${port}', secret: bench }
`,
);
const child = spawn(program, ['serve', config], { stdio: ['ignore', 'ignore', 2] });
process.on('exit', () => child.kill('SIGKILL'));
await untilItAnswers(url, '/v2/', child);

const client = openClient(url, load.inFlight);
const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
const binary = { 'content-type': 'application/octet-stream' };
const layerType = 'application/vnd.oci.image.layer.v1.tar';
const configType = 'application/vnd.oci.image.config.v1+json';
const manifestType = 'application/vnd.oci.image.manifest.v1+json';

async function putBlob(name, body, hex) {
  const begun = await client.must([202], 'POST', `/v2/${name}/blobs/uploads/`);
  const { pathname, searchParams } = new URL(begun.headers.location);
  searchParams.set('digest', `sha256:${hex}`);
  await client.must([201], 'PUT', `${pathname}?${searchParams}`, { headers: binary, body });
  return `/v2/${name}/blobs/sha256:${hex}`;
}

async function publish(name, version, file) {
  const about = Buffer.from(JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers' }, name }));
  const describe = (mediaType, bytes) => ({ mediaType, digest: `sha256:${sha256(bytes)}`, size: bytes.length });
  await Promise.all([file, about].map((bytes) => putBlob(name, bytes, sha256(bytes))));
  const manifest = {
    schemaVersion: 2,
    mediaType: manifestType,
    config: describe(configType, about),
    layers: [describe(layerType, file)],
  };
  const headers = { 'content-type': manifestType };
  const body = JSON.stringify(manifest);
  await client.must([201], 'PUT', `/v2/${name}/manifests/${version}`, { headers, body });
}

const whole = async (place) => (await client.must([200], 'GET', place)).body;
const measured = await measureRegistry(load, {
  pid: child.pid,
  publish,
  fetch: async (name, version) => {
    const headers = { accept: manifestType };
    const manifest = await client.must([200], 'GET', `/v2/${name}/manifests/${version}`, { headers });
    return whole(`/v2/${name}/blobs/${JSON.parse(manifest.body).layers[0].digest}`);
  },
  count: () => globSync('docker/registry/v2/repositories/*/_manifests/tags/*/current/link', { cwd: files }).length,
  upload: async (name, parts, hex) => () => putBlob(name, parts, hex),
  download: (place) => client.download(place),
  whole,
});
const version = spawnSync(program, ['--version'], { encoding: 'utf8' }).stdout.trim().split(' ').at(-1);
report({
  ...measured,
  version,
  settings:
    'filesystem storage with its default settings, blob descriptors cached in memory, no log; five requests a publish; nobody signs in',
});
process.exit(0);
