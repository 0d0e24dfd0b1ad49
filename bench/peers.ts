import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { cpSync, existsSync, globSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectTo, startPostgres, superuser } from '../test/postgres/start-postgres.ts';
import { type EngineResult, runEngine } from './engine-result.ts';
import type { Load } from './peers/measure.mjs';

export const peers = ['DBOS', 'Restate', 'OpenWorkflow', 'OpenWorkflow, told at once'] as const;
/** Those that take work over the network, beside `waybill serve`. */
export const servers = ['Restate, over its ingress', 'BullMQ'] as const;
export type Peer = (typeof peers)[number] | (typeof servers)[number];

/**
 * Installs the peers at their pinned versions into `.bench/`, which git ignores, and copies their programs there,
 * because a program finds its packages beside itself.
 * @returns the folder
 */
export function installPeers(root: string): string {
  const folder = join(root, '.bench');
  const source = join(import.meta.dirname, 'peers');
  mkdirSync(folder, { recursive: true });
  const lock = 'package-lock.json';
  const installed = join(folder, 'node_modules', '.package-lock.json');
  const same =
    existsSync(join(folder, lock)) &&
    readFileSync(join(folder, lock), 'utf8') === readFileSync(join(source, lock), 'utf8');
  for (const file of globSync('*', { cwd: source })) cpSync(join(source, file), join(folder, file));
  if (same && existsSync(installed)) return folder;
  console.error('installing the peers into .bench/ ...');
  const end = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: folder,
    stdio: ['ignore', 2, 2],
  });
  if (end.status !== 0) throw new Error(`npm ci in ${folder} failed`);
  return folder;
}

/** @throws Error when this machine lacks the one peer that npm cannot bring. */
export function requireRedis(): void {
  const { error } = spawnSync('redis-server', ['--version']);
  if (error === undefined) return;
  throw new Error(
    'BullMQ needs redis-server on PATH (Debian: apt-get install redis-server), or choose parts with --only',
  );
}

/** One round of one peer, on fresh data. */
export async function runPeer(peer: Peer, folder: string, load: Load): Promise<EngineResult> {
  switch (peer) {
    case 'DBOS':
      return runOnPostgres(folder, load);
    case 'Restate':
      return runEngine(join(folder, 'restate.mjs'), [], load, folder);
    case 'Restate, over its ingress':
      return runEngine(join(folder, 'restate.mjs'), ['noOp'], load, folder);
    case 'BullMQ':
      return runEngine(join(folder, 'bullmq.mjs'), [], load, folder);
    case 'OpenWorkflow':
      return runEngine(join(folder, 'openworkflow.mjs'), [], load, folder);
    case 'OpenWorkflow, told at once':
      return runEngine(join(folder, 'openworkflow.mjs'), ['driven'], load, folder);
  }
}

/** The PostgreSQL of the tests, but durable: what is measured must survive a power cut. */
async function runOnPostgres(folder: string, load: Load): Promise<EngineResult> {
  const server = startPostgres('C', 'durable');
  try {
    const owner = await connectTo(server.socket, 'postgres');
    const name = `bench_${randomUUID().replaceAll('-', '')}`;
    await owner.query(`CREATE DATABASE ${name}`);
    await owner.end();
    const database = `postgresql://${superuser}@localhost/${name}?host=${encodeURIComponent(server.socket)}`;
    return await runEngine(join(folder, 'dbos.mjs'), [], { ...load, database }, folder);
  } finally {
    await server.stop();
  }
}
