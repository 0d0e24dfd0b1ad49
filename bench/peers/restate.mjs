// Restate: its own server (one node, defaults: RocksDB with the log fsynced), the service and the client here.
// Second argument: which handler is called over the ingress, `threeSteps` or `noOp` (one durable step).
import { spawn } from 'node:child_process';
import { createWriteStream, readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expected, measure, readLoad, report } from './measure.mjs';

// Read while the SDK is loaded; otherwise it writes two lines for each call, which is not what is measured.
process.env.RESTATE_LOGGING = 'ERROR';
const restate = await import('@restatedev/restate-sdk');
const load = readLoad();
const handler = process.argv[3] ?? 'threeSteps';

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

const [node, admin, ingress, service] = [await freePort(), await freePort(), await freePort(), await freePort()];
const bench = restate.service({
  name: 'bench',
  handlers: {
    threeSteps: async (ctx, n) => {
      const a = await ctx.run('one', () => n + 1);
      const b = await ctx.run('two', () => a * 2);
      return ctx.run('three', () => b - 3);
    },
    noOp: (ctx, n) => ctx.run('answer', () => expected(n)),
  },
});
await restate.serve({ services: [bench], port: service });

const binary = new URL(
  `node_modules/@restatedev/restate-server-${process.platform}-${process.arch}/bin/restate-server`,
  import.meta.url,
).pathname;
const server = spawn(
  binary,
  ['--no-logo', '--listen-mode', 'tcp', '--bind-ip', '127.0.0.1', '--base-dir', join(load.data, 'restate')],
  {
    env: {
      PATH: process.env.PATH,
      RUST_LOG: 'warn',
      RESTATE_DISABLE_TELEMETRY: 'true',
      DO_NOT_TRACK: '1',
      RESTATE_BIND_PORT: String(node),
      RESTATE_ADMIN__BIND_PORT: String(admin),
      RESTATE_INGRESS__BIND_PORT: String(ingress),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  },
);
process.on('exit', () => server.kill('SIGKILL'));
const log = createWriteStream(join(load.data, 'restate.log'));
server.stdout.pipe(log);
server.stderr.pipe(log);

const agent = new Agent({ keepAlive: true, maxSockets: load.inFlight });
function post(port, path, body) {
  return new Promise((resolve, reject) => {
    const text = JSON.stringify(body);
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
    const call = request({ host: '127.0.0.1', port, path, method: 'POST', headers, agent }, (answer) => {
      const parts = [];
      answer.on('data', (part) => parts.push(part));
      answer.on('end', () => {
        const whole = Buffer.concat(parts).toString();
        if ((answer.statusCode ?? 500) >= 300) reject(new Error(`${answer.statusCode} ${whole}`));
        else resolve(JSON.parse(whole));
      });
    });
    call.on('error', reject);
    call.end(text);
  });
}

async function until(what, ask) {
  const stopAt = performance.now() + 60_000;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (performance.now() > stopAt) throw new Error(`${what} did not come up`, { cause: error });
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}
await until('the admin API', () => post(admin, '/deployments', { uri: `http://127.0.0.1:${service}` }));
await until('the ingress', () => post(ingress, `/bench/${handler}`, 1));

const result = await measure(load, (n) => post(ingress, `/bench/${handler}`, n));
const versionOf = (name) =>
  JSON.parse(readFileSync(new URL(`node_modules/@restatedev/${name}/package.json`, import.meta.url), 'utf8')).version;
report({
  ...result,
  version: `server ${versionOf('restate-server')}, sdk ${versionOf('restate-sdk')}`,
  settings:
    'one node, its own defaults: RocksDB write-ahead log with fsync (rocksdb-disable-wal-fsync=false), 24 partitions, HTTP/2 to the service',
});
process.exit(0);
