// No registry: the least that a server on Node does to take a file in (digest, file, fsync) and to give it out, without
// any rule. What a registry in one Node process can reach at most.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, mkdirSync } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { report } from './measure.mjs';
import { measureRegistry, readRegistryLoad } from './measure-registry.mjs';
import { openClient } from './registry-client.mjs';

async function takeIn(request, file) {
  const hash = createHash('sha256');
  const handle = await open(file, 'w');
  let written = Promise.resolve();
  for await (const chunk of request) {
    await written;
    written = handle.write(chunk);
    hash.update(chunk);
  }
  await written;
  await handle.sync();
  await handle.close();
  return hash.digest('hex');
}

async function serve(folder) {
  const server = createServer(async (request, response) => {
    const file = join(folder, request.url);
    if (request.method === 'PUT') {
      response.writeHead(201).end(await takeIn(request, file));
      return;
    }
    response.writeHead(200, { 'content-length': (await stat(file)).size });
    await pipeline(createReadStream(file, { highWaterMark: 1 << 18 }), response);
  });
  server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`));
}

async function measureIt() {
  const load = readRegistryLoad();
  const folder = join(load.data, 'node-alone');
  mkdirSync(folder);
  const child = spawn(process.execPath, [import.meta.filename, 'serve', folder], { stdio: ['ignore', 'pipe', 2] });
  process.on('exit', () => child.kill('SIGKILL'));
  const [line] = await once(child.stdout, 'data');
  const client = openClient(line.toString().trim(), load.inFlight);
  const measured = await measureRegistry(load, {
    pid: child.pid,
    upload: async (name, parts, hex) => async () => {
      const { body } = await client.must([201], 'PUT', `/${name}`, { body: parts });
      if (body.toString() !== hex) throw new Error(`${name} has the digest ${body}`);
      return `/${name}`;
    },
    download: (place) => client.download(place),
    whole: async (place) => (await client.must([200], 'GET', place)).body,
  });
  report({
    ...measured,
    version: process.version,
    settings: 'node:http, SHA-256 beside the write, one fsync a file; no rules, no store, nobody signs in',
  });
  process.exit(0);
}

if (process.argv[2] === 'serve') await serve(process.argv[3]);
else await measureIt();
