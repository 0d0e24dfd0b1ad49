// Verdaccio, published to as `npm publish` does: one PUT that holds the metadata and the file in base64. No uplinks, no
// page, tokens it can check without asking for the password again (with its default, each publish costs a bcrypt).
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { report } from './measure.mjs';
import { measureRegistry, readRegistryLoad } from './measure-registry.mjs';
import { freePort, openClient, untilItAnswers } from './registry-client.mjs';

const load = readRegistryLoad();
const storage = join(load.data, 'storage');
const config = join(load.data, 'verdaccio.yaml');
writeFileSync(
  config,
  `storage: ${storage}
auth: { htpasswd: { file: ${join(load.data, 'htpasswd')}, max_users: 1 } }
security: { api: { legacy: false, jwt: { sign: { expiresIn: 1d } } } }
uplinks: {}
packages: { '**': { access: $all, publish: $authenticated } }
web: { enable: false }
log: { type: stdout, format: json, level: error }
max_body_size: ${Math.ceil(load.bytes * 1.5) + 1_000_000}
`,
);
const packages = (name) => fileURLToPath(new URL(`node_modules/verdaccio/${name}`, import.meta.url));
const url = `http://127.0.0.1:${await freePort()}`;
const child = spawn(process.execPath, [packages('bin/verdaccio'), '--config', config, '--listen', url], {
  stdio: ['ignore', 'ignore', 'pipe'],
});
process.on('exit', () => child.kill('SIGKILL'));
let said = '';
child.stderr.on('data', (part) => {
  said = (said + part).slice(-2000);
});
child.on('exit', () => process.stderr.write(said));
await untilItAnswers(url, '/-/ping', child);

const client = openClient(url, load.inFlight);
const json = { 'content-type': 'application/json' };
const user = { name: 'bench', password: 'a password nobody guesses', type: 'user', roles: [] };
const added = await client.must([201], 'PUT', '/-/user/org.couchdb.user:bench', {
  headers: json,
  body: JSON.stringify(user),
});
const headers = { ...json, authorization: `Bearer ${JSON.parse(added.body).token}` };

/** https://github.com/npm/libnpmpublish: what the command sends. */
function bodyOf(name, version, file) {
  const tarball = `${name}-${version}.tgz`;
  const dist = {
    integrity: `sha512-${createHash('sha512').update(file).digest('base64')}`,
    shasum: createHash('sha1').update(file).digest('hex'),
    tarball: `${url}/${name}/-/${tarball}`,
  };
  const description = 'What the benchmark publishes';
  return JSON.stringify({
    _id: name,
    name,
    description,
    'dist-tags': { latest: version },
    versions: { [version]: { _id: `${name}@${version}`, name, version, description, dist } },
    access: null,
    _attachments: {
      [tarball]: { content_type: 'application/octet-stream', data: file.toString('base64'), length: file.length },
    },
  });
}
const placeOf = (name, version) => `/${name}/-/${name}-${version}.tgz`;
const put = (name, body) => client.must([201], 'PUT', `/${name}`, { headers, body });
const whole = async (place) => (await client.must([200], 'GET', place, { headers })).body;

const measured = await measureRegistry(load, {
  pid: child.pid,
  oneByOne: true,
  publish: async (name, version, file) => {
    await put(name, bodyOf(name, version, file));
  },
  fetch: (name, version) => whole(placeOf(name, version)),
  count: () => globSync('*/*.tgz', { cwd: storage }).length,
  upload: async (name, parts) => {
    const body = Buffer.from(bodyOf(name, '1.0.0', Buffer.concat(parts)));
    return async () => {
      await put(name, body);
      return placeOf(name, '1.0.0');
    };
  },
  download: (place) => client.download(place, { authorization: headers.authorization }),
  whole,
});
const { version } = JSON.parse(readFileSync(packages('package.json'), 'utf8'));
report({
  ...measured,
  version,
  settings: 'files in a folder, no fsync; tokens as JWT, no uplinks, no page, log level error; one PUT a publish',
});
process.exit(0);
