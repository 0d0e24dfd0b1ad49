import { spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { DaemonDescription } from './daemon-description.ts';
import { readDaemonFile, removeDaemonFile, writeDaemonFile } from './daemon-file.ts';
import { findDaemon } from './find-daemon.ts';
import { socketPathFor } from './socket-path.ts';
import type { Workspace } from './workspace.ts';

let workspace: Workspace;

beforeEach(async () => {
  workspace = { root: await mkdtemp(join(tmpdir(), 'waybill-daemon-')), configurationPath: null };
  await mkdir(join(workspace.root, '.waybill'), { mode: 0o700 });
});

afterEach(() => rm(workspace.root, { recursive: true }));

const daemon = (change: Partial<DaemonDescription>): DaemonDescription => ({
  pid: process.pid,
  url: null,
  socket: null,
  version: '1.2.3',
  startedAt: '2026-11-23T00:30:00.000Z',
  tokenFile: '/somewhere/token',
  ...change,
});

async function listening(to: { readonly path: string } | { readonly port: number; readonly host: string }) {
  const server = createServer((socket) => void socket.on('error', () => {}));
  const ready = Promise.withResolvers<void>();
  server.once('error', ready.reject).listen(to, ready.resolve);
  await ready.promise;
  return {
    server,
    [Symbol.asyncDispose]: () => new Promise<void>((closed) => void server.close(() => closed())),
  };
}

async function freePort(): Promise<number> {
  await using taken = await listening({ host: '127.0.0.1', port: 0 });
  const address = taken.server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function endedPid(): Promise<number> {
  const child = spawn(process.execPath, ['--version'], { stdio: 'ignore' });
  await new Promise((ended) => child.once('close', ended));
  return child.pid ?? 0;
}

test('a daemon that takes connections is found, on its socket first', async () => {
  const socket = await socketPathFor(workspace);
  await using _ = await listening({ path: socket });
  const written = daemon({ socket, url: 'http://127.0.0.1:9' });
  await writeDaemonFile(workspace, written);
  expect(await findDaemon(workspace)).toEqual({ ...written, address: { socket } });
  const file = join(workspace.root, '.waybill/daemon.json');
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(JSON.parse(await readFile(file, 'utf8'))).toEqual(written);
});

test('what a killed daemon left behind is none', async () => {
  const port = await freePort();
  await writeDaemonFile(workspace, daemon({ socket: await socketPathFor(workspace), url: `http://127.0.0.1:${port}` }));
  expect(await findDaemon(workspace)).toBeNull();
  // A socket file nobody listens on refuses too.
  await writeFile(await socketPathFor(workspace), '');
  expect(await findDaemon(workspace)).toBeNull();
});

test('a port whose daemon is dead has a new owner, who is not given our token', async () => {
  const port = await freePort();
  await using _ = await listening({ host: '127.0.0.1', port });
  const url = `http://127.0.0.1:${port}`;
  await writeDaemonFile(workspace, daemon({ url }));
  expect(await findDaemon(workspace)).toMatchObject({ address: { url } });
  await writeDaemonFile(workspace, daemon({ url, pid: await endedPid() }));
  expect(await findDaemon(workspace)).toBeNull();
});

test.each(['', '{', '[]', '{"pid": 1}', `{"pid": ${'1'.repeat(20_000)}}`])('%.20s is no description', async (text) => {
  await writeFile(join(workspace.root, '.waybill/daemon.json'), text);
  expect(await readDaemonFile(workspace)).toBeNull();
});

test('a daemon removes its own file only', async () => {
  await writeDaemonFile(workspace, daemon({}));
  await removeDaemonFile(workspace, process.pid + 1);
  expect(await readDaemonFile(workspace)).not.toBeNull();
  await removeDaemonFile(workspace, process.pid);
  expect(await readDaemonFile(workspace)).toBeNull();
  await removeDaemonFile(workspace, process.pid);
});

test('a workspace too deep for a socket has one elsewhere, in a folder that is only ours', async () => {
  const deep = { ...workspace, root: join(workspace.root, 'd'.repeat(100)) };
  expect(await socketPathFor(workspace)).toBe(join(workspace.root, '.waybill/daemon.sock'));
  const runtime = await mkdtemp(join(tmpdir(), 'wb-'));
  try {
    const path = await socketPathFor(deep, { XDG_RUNTIME_DIR: runtime });
    expect(dirname(path)).toBe(runtime);
    expect(await socketPathFor(deep, { XDG_RUNTIME_DIR: runtime })).toBe(path);
    expect(await socketPathFor({ ...deep, root: `${deep.root}e` }, { XDG_RUNTIME_DIR: runtime })).not.toBe(path);
    await using _ = await listening({ path });
    await chmod(runtime, 0o755);
    const other = await socketPathFor(deep, { XDG_RUNTIME_DIR: runtime });
    expect(dirname(other)).toBe(join(tmpdir(), `waybill-${process.getuid?.()}`));
    expect((await stat(dirname(other))).mode & 0o777).toBe(0o700);
  } finally {
    await rm(runtime, { recursive: true });
  }
});
