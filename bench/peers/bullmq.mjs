// BullMQ on a Redis of its own that syncs every write (appendfsync always): producer, worker and the waiter for results
// in this process. The answer is what the worker returned, told by QueueEvents once Redis has it.
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { Queue, QueueEvents, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { expected, measure, readLoad, report } from './measure.mjs';

const load = readLoad();

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

const port = await freePort();
const asked = ['--appendonly', 'yes', '--appendfsync', 'always', '--save', '', '--maxmemory-policy', 'noeviction'];
const place = ['--bind', '127.0.0.1', '--port', String(port), '--dir', load.data];
const server = spawn('redis-server', [...asked, ...place], { stdio: 'ignore' });
server.on('error', (error) => {
  console.error(
    `redis-server cannot be started (${error.message}): install it, on Debian with apt-get install redis-server`,
  );
  process.exit(1);
});
process.on('exit', () => server.kill('SIGKILL'));

const connection = { host: '127.0.0.1', port, maxRetriesPerRequest: null };
const redis = new Redis({ ...connection, retryStrategy: () => 50 });
// Refused until Redis listens; the client tries again by itself.
redis.on('error', () => {});
await redis.ping();
const [, fsync] = await redis.config('GET', 'appendfsync');
const [, log] = await redis.config('GET', 'appendonly');
if (fsync !== 'always' || log !== 'yes') throw new Error(`Redis does not sync: ${log}, ${fsync}`);

const queue = new Queue('bench', { connection });
const events = new QueueEvents('bench', { connection });
const worker = new Worker('bench', async (job) => expected(job.data.n), { connection, concurrency: load.inFlight });
await Promise.all([queue.waitUntilReady(), events.waitUntilReady(), worker.waitUntilReady()]);
for (const emitter of [queue, events]) emitter.setMaxListeners(0);

const result = await measure(load, async (n) => {
  const job = await queue.add('noop', { n });
  return job.waitUntilFinished(events);
});
const stored = await queue.getCompletedCount();
if (stored !== result.runs) throw new Error(`${stored} jobs completed of ${result.runs}`);
const { version } = JSON.parse(readFileSync(new URL('node_modules/bullmq/package.json', import.meta.url), 'utf8'));
const redisVersion = /v=(\S+)/.exec(spawnSync('redis-server', ['--version'], { encoding: 'utf8' }).stdout)?.[1];
report({
  ...result,
  version,
  settings: `Redis ${redisVersion}, appendonly ${log}, appendfsync ${fsync}; producer, worker (concurrency ${load.inFlight}) and QueueEvents in one process`,
});
process.exit(0);
