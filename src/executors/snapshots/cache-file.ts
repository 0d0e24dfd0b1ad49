import { hash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { makeFolder } from '../../platform/files/make-folder.ts';
import { throughTemporaryFile } from '../../platform/files/temporary-file.ts';
import { rowWidth } from './stat-rows.ts';
import type { TreeState } from './tree-state.ts';

const magic = 'waybill tree cache 1\n';
const hexDigits = 64;
const numberBytes = 6;
const noDigest = '-'.repeat(hexDigits);

/** magic, SHA-256 of the rest in hex; then three numbers (bytes of root, bytes of keys, keys), root, keys, digests, rows. */
export function encodeState(state: TreeState): Buffer {
  const root = Buffer.from(state.root);
  const keys = Buffer.from(state.keys.join('\0'));
  const digests = Buffer.from(state.digests.map((digest) => (digest === '' ? noDigest : digest)).join(''), 'latin1');
  const rows = Buffer.from(state.rows.buffer, state.rows.byteOffset, state.rows.byteLength);
  const head = Buffer.alloc(3 * numberBytes);
  for (const [index, value] of [root.length, keys.length, state.keys.length].entries()) {
    head.writeUIntLE(value, index * numberBytes, numberBytes);
  }
  const body = Buffer.concat([head, root, keys, digests, rows]);
  return Buffer.concat([Buffer.from(magic + hash('sha256', body, 'hex')), body]);
}

/** @returns undefined for anything that is not exactly what `encodeState` wrote: a cache is never worth an error */
export function decodeState(file: Buffer): TreeState | undefined {
  const bodyAt = magic.length + hexDigits;
  if (file.toString('latin1', 0, magic.length) !== magic) return undefined;
  const body = file.subarray(bodyAt);
  if (hash('sha256', body, 'hex') !== file.toString('latin1', magic.length, bodyAt)) return undefined;
  const rootAt = 3 * numberBytes;
  if (body.length < rootAt) return undefined;
  const [rootBytes, keyBytes, count] = [0, 1, 2].map((index) => body.readUIntLE(index * numberBytes, numberBytes));
  if (rootBytes === undefined || keyBytes === undefined || count === undefined) return undefined;
  const keysAt = rootAt + rootBytes;
  const digestsAt = keysAt + keyBytes;
  const rowsAt = digestsAt + count * hexDigits;
  if (body.length !== rowsAt + count * rowWidth * 8) return undefined;
  const digests = body.toString('latin1', digestsAt, rowsAt);
  return {
    root: body.toString('utf8', rootAt, keysAt),
    keys: count === 0 ? [] : body.toString('utf8', keysAt, digestsAt).split('\0'),
    digests: Array.from({ length: count }, (_, index) => {
      const digest = digests.slice(index * hexDigits, (index + 1) * hexDigits);
      return digest === noDigest ? '' : digest;
    }),
    // A copy, because the bytes of a Float64Array must begin at a multiple of eight.
    rows: new Float64Array(new Uint8Array(body.subarray(rowsAt)).buffer),
  };
}

/** @returns undefined when there is no cache, or none that can be used */
export async function loadState(path: string): Promise<TreeState | undefined> {
  let file: Buffer;
  try {
    file = await readFile(path);
  } catch {
    // Missing or unreadable, it is only a cache: everything is read again.
    return undefined;
  }
  return decodeState(file);
}

/**
 * Replaces the cache in one move, but without waiting for the disk: the digest in it finds out after a power cut.
 * @throws WaybillError `file_write_failed`
 */
export async function saveState(path: string, state: TreeState): Promise<void> {
  const folder = dirname(path);
  await makeFolder(folder);
  await throughTemporaryFile({ folder, mode: 0o600, subject: path, durable: false }, async (handle) => {
    await handle.writeFile(encodeState(state));
    return { path };
  });
}
