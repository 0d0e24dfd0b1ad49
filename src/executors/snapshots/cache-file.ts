import { hash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { makeFolder } from '../../platform/files/make-folder.ts';
import { throughTemporaryFile } from '../../platform/files/temporary-file.ts';
import { rowWidth } from './stat-rows.ts';
import type { TreeState } from './tree-state.ts';

const magic = 'waybill tree cache 2\n';
const hexDigits = 64;
const numbers = 5;
const numberBytes = 6;
const noDigest = '-'.repeat(hexDigits);

/** magic, SHA-256 of the rest in hex; then five numbers (bytes of root, bytes of keys, keys, bytes of
 *  witnesses, witnesses), root, keys, witnesses, digests, rows, rows of witnesses. */
export function encodeState(state: TreeState): Buffer {
  const witnesses = state.proof?.witnesses ?? [];
  const texts = [state.root, state.keys.join('\0'), witnesses.join('\0')].map((text) => Buffer.from(text));
  const [rootBytes = 0, keyBytes = 0, witnessBytes = 0] = texts.map((text) => text.length);
  const digests = Buffer.from(state.digests.map((digest) => (digest === '' ? noDigest : digest)).join(''), 'latin1');
  const head = Buffer.alloc(numbers * numberBytes);
  for (const [index, value] of [rootBytes, keyBytes, state.keys.length, witnessBytes, witnesses.length].entries()) {
    head.writeUIntLE(value, index * numberBytes, numberBytes);
  }
  const rows = [state.rows, state.proof?.rows ?? new Float64Array()].map((some) =>
    Buffer.from(some.buffer, some.byteOffset, some.byteLength),
  );
  const body = Buffer.concat([head, ...texts, digests, ...rows]);
  return Buffer.concat([Buffer.from(magic + hash('sha256', body, 'hex')), body]);
}

/** @returns undefined for anything that is not exactly what `encodeState` wrote: a cache is never worth an error */
export function decodeState(file: Buffer): TreeState | undefined {
  const bodyAt = magic.length + hexDigits;
  if (file.toString('latin1', 0, magic.length) !== magic) return undefined;
  const body = file.subarray(bodyAt);
  if (hash('sha256', body, 'hex') !== file.toString('latin1', magic.length, bodyAt)) return undefined;
  const rootAt = numbers * numberBytes;
  if (body.length < rootAt) return undefined;
  const numberAt = (index: number): number => body.readUIntLE(index * numberBytes, numberBytes);
  const [count, witnessCount] = [numberAt(2), numberAt(4)];
  const keysAt = rootAt + numberAt(0);
  const witnessesAt = keysAt + numberAt(1);
  const digestsAt = witnessesAt + numberAt(3);
  const rowsAt = digestsAt + count * hexDigits;
  const witnessRowsAt = rowsAt + count * rowWidth * 8;
  if (body.length !== witnessRowsAt + witnessCount * rowWidth * 8) return undefined;
  const digests = body.toString('latin1', digestsAt, rowsAt);
  const witnesses = body.toString('utf8', witnessesAt, digestsAt).split('\0');
  return {
    root: body.toString('utf8', rootAt, keysAt),
    keys: count === 0 ? [] : body.toString('utf8', keysAt, witnessesAt).split('\0'),
    digests: Array.from({ length: count }, (_, index) => {
      const digest = digests.slice(index * hexDigits, (index + 1) * hexDigits);
      return digest === noDigest ? '' : digest;
    }),
    rows: numbersIn(body.subarray(rowsAt, witnessRowsAt)),
    proof: witnessCount === 0 ? undefined : { witnesses, rows: numbersIn(body.subarray(witnessRowsAt)) },
    made: undefined,
  };
}

/** A copy, because the bytes of a Float64Array must begin at a multiple of eight. */
function numbersIn(bytes: Buffer): Float64Array {
  return new Float64Array(new Uint8Array(bytes).buffer);
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
