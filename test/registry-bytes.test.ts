import { createHash, randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createClient } from '../src/sdk/client/index.ts';
import { type Daemon, startDaemon } from './support/daemon.ts';
import { engines, openDaemonStore, storeSettings } from './support/daemon-store.ts';
import { makeWorkspace, type TestWorkspace } from './support/workspace.ts';

const full = process.env.WAYBILL_TEST_FULL === '1';
const mebibyte = 1_048_576;
const configuration = `import { defineConfig } from 'waybill';
export default defineConfig({ registry: { gates: [] }, ${storeSettings} });
`;
const filesOf = ({ data }: TestWorkspace) =>
  readdirSync(join(data, 'blobs'), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
const clientOf = ({ url, token }: Daemon) => createClient({ url }, { token });

test.each(engines)('G1 G4 an upload goes on after the daemon was killed in the middle of it, on %s', async (engine) => {
  await using store = await openDaemonStore(engine);
  await using workspace = await makeWorkspace({ configuration, env: store.env });
  const bytes = randomBytes(24 * mebibyte);
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  let daemon = await startDaemon(workspace);
  const params = { repoKey: 'local' };
  const { body } = await clientOf(daemon).uploads.start({ params, body: { digest, size: bytes.length } });
  const place = { params: { ...params, uploadId: body.uploadId } };
  const path = `/v1/repos/local/uploads/${body.uploadId}`;
  let offset = 0;
  for (let round = 0; round < 3; round++) {
    const begun = offset;
    const ended = sendSlowly(daemon, path, offset, bytes);
    // Not asked over HTTP: what counts is what is there when the process is gone.
    await expect.poll(() => sizeOf(workspace, body.uploadId), { timeout: 30_000 }).toBeGreaterThan(begun);
    await daemon.kill();
    expect(await ended).toBe('cut');
    daemon = await startDaemon(workspace);
    ({ offset } = await clientOf(daemon).uploads.get(place));
    expect(offset, `round ${round}`).toBeGreaterThan(begun);
    expect(offset).toBeLessThan(bytes.length);
  }
  const pause = 0;
  expect(await sendSlowly(daemon, path, offset, bytes, pause)).toBe('204');
  expect((await clientOf(daemon).uploads.finish(place)).body).toEqual({ digest, size: bytes.length, added: true });
  expect(await buffer((await clientOf(daemon).getBlob('local', digest)).body)).toEqual(bytes);
  expect(filesOf(workspace).map(({ name }) => name)).toEqual([digest.slice('sha256:'.length)]);
  await daemon.stop();
});

test('G1 G2 G3 the client puts bytes and streams, and checks what it gets', async () => {
  await using workspace = await makeWorkspace({ configuration });
  const daemon = await startDaemon(workspace);
  const client = clientOf(daemon);
  const bytes = randomBytes(3 * mebibyte);
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

  expect(await client.putBlob('local', bytes)).toEqual({ digest, size: bytes.length, added: true });
  expect(await client.putBlob('local', pieces(bytes), { digest })).toMatchObject({ added: false });
  const other = Buffer.concat([bytes, bytes]);
  expect(await client.putBlob('local', pieces(other))).toMatchObject({ size: other.length, added: true });
  await expect(client.putBlob('local', pieces(other), { digest })).rejects.toMatchObject({ code: 'digest_mismatch' });
  await expect(client.putBlob('local', pieces(other), { size: 7 })).rejects.toMatchObject({ code: 'size_mismatch' });
  await expect(client.putBlob('nowhere', bytes)).rejects.toMatchObject({ code: 'repo_not_found' });
  const stranger = createClient({ url: daemon.url }, { token: 'x' });
  await expect(stranger.putBlob('local', Buffer.alloc(8 * mebibyte))).rejects.toMatchObject({ code: 'unauthorized' });
  const own = new Error('the source failed');
  const failing = async function* () {
    yield bytes;
    throw own;
  };
  for (const options of [{}, { digest }]) await expect(client.putBlob('local', failing(), options)).rejects.toBe(own);

  const got = await client.getBlob('local', digest);
  expect(got).toMatchObject({ digest, size: bytes.length, mediaType: 'application/octet-stream' });
  expect(await buffer(got.body)).toEqual(bytes);
  const part = await client.getBlob('local', digest, { range: { first: 10, last: 99 } });
  expect([part.size, await buffer(part.body)]).toEqual([90, bytes.subarray(10, 100)]);
  await expect(client.getBlob('local', `sha256:${'0'.repeat(64)}`)).rejects.toMatchObject({ code: 'blob_unknown' });
  expect(filesOf(workspace)).toHaveLength(2);
  const [hex = ''] = digest.split(':').slice(1);
  writeFileSync(join(workspace.data, 'blobs', 'sha256', hex.slice(0, 2), hex), Buffer.alloc(bytes.length));
  const damaged = await client.getBlob('local', digest);
  await expect(buffer(damaged.body)).rejects.toMatchObject({ code: 'digest_mismatch', details: { expected: digest } });
  await daemon.stop();
});

test('G2 the memory of the daemon does not grow with what passes through it', async () => {
  const size = (full ? 4_096 : 256) * mebibyte;
  await using workspace = await makeWorkspace({ configuration });
  const daemon = await startDaemon(workspace);
  const client = clientOf(daemon);
  // Everything is loaded, and every buffer that stays was made.
  await buffer(
    (await client.getBlob('local', (await client.putBlob('local', randomBytes(20 * mebibyte))).digest)).body,
  );
  const before = peakOf(daemon);
  const [first, second] = await Promise.all([
    client.putBlob('local', zeros(size, 1), { size }),
    client.putBlob('local', zeros(size, 2), { size }),
  ]);
  for (const { digest } of [first, second]) {
    let read = 0;
    for await (const chunk of (await client.getBlob('local', digest)).body) read += chunk.length;
    expect(read).toBe(size);
  }
  const grown = peakOf(daemon) - before;
  console.log(
    `${(2 * size) / mebibyte} MiB in and out: ${Math.round(grown / mebibyte)} MiB above ${Math.round(before / mebibyte)}`,
  );
  expect(before).toBeGreaterThan(20 * mebibyte);
  expect(grown).toBeLessThan(96 * mebibyte);
  await daemon.stop();
});

/** The most memory a process has had so far, in bytes. */
function peakOf({ process: { pid } }: Daemon): number {
  const [, kibibytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kibibytes) * 1024;
}

async function* zeros(size: number, mark: number): AsyncGenerator<Uint8Array, void, void> {
  for (let at = 0; at < size; at += mebibyte) yield Buffer.alloc(mebibyte).fill(at === 0 ? mark : 0, 0, 1);
}

async function* pieces(bytes: Buffer): AsyncGenerator<Uint8Array, void, void> {
  for (let at = 0; at < bytes.length; at += 100_000) yield bytes.subarray(at, at + 100_000);
}

function sizeOf({ data }: TestWorkspace, uploadId: string): number {
  try {
    return statSync(join(data, 'blobs', 'uploads', uploadId)).size;
  } catch {
    return 0;
  }
}

/** Sends the rest of the bytes, 1 MiB at a time, to an upload; resolves with the status, or `cut`. */
async function sendSlowly(
  { url, token }: Daemon,
  path: string,
  offset: number,
  bytes: Buffer,
  pauseMs = 40,
): Promise<string> {
  const headers = { authorization: `Bearer ${token}`, 'upload-offset': `${offset}` };
  const sent = request(url + path, { method: 'PATCH', agent: false, headers });
  const ended = new Promise<string>((resolve) => {
    sent.once('error', () => resolve('cut'));
    sent.once('response', (answer) => {
      answer.resume();
      resolve(`${answer.statusCode}`);
    });
  });
  for (let at = offset; at < bytes.length && !sent.destroyed; at += mebibyte) {
    sent.write(bytes.subarray(at, at + mebibyte));
    await delay(pauseMs);
  }
  sent.end();
  return ended;
}
