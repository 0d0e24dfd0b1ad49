import { WaybillError } from '../../contract/errors.ts';
import type { Digest } from '../../contract/ids.ts';
import { systemCode } from '../files/file-write-failed.ts';

export function readFailed(path: string, cause: unknown): WaybillError {
  if (cause instanceof WaybillError) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new WaybillError('file_read_failed', `cannot read ${path}: ${reason}`, {
    hint: 'Check that it is a regular file this user may read.',
    details: { path, systemCode: systemCode(cause) ?? null },
    cause,
  });
}

export function missing(digest: Digest): WaybillError {
  return new WaybillError('blob_missing', `no bytes are stored under ${digest}`, {
    hint: 'Import the bundle of the run again, or restore `.waybill/blobs` from a backup.',
    details: { digest },
  });
}

export function corrupt(digest: Digest, path: string): WaybillError {
  return new WaybillError('blob_corrupt', `the bytes stored under ${digest} are not the ones that were stored`, {
    hint: 'The disk or somebody changed the file: restore it from a backup or import the bundle of the run again.',
    details: { digest, path },
  });
}

export function digestMismatch(expected: Digest, actual: Digest): WaybillError {
  return new WaybillError('digest_mismatch', `the bytes have the digest ${actual}, not ${expected}`, {
    hint: 'They were changed on their way, or the digest is of other bytes: send them again from the start.',
    details: { expected, actual, problems: [{ path: 'body', message: `is ${actual}, expected ${expected}` }] },
  });
}

/** @param more true when there was more than was looked at */
export function sizeMismatch(expected: number, actual: number, more = false): WaybillError {
  const found = more ? `at least ${actual} bytes` : `${actual} bytes`;
  return new WaybillError('size_mismatch', `there are ${found}, not ${expected}`, {
    hint: 'Something is missing or was added on the way: send as many bytes as were announced.',
    details: { expected, actual, problems: [{ path: 'body', message: `has ${found}, expected ${expected}` }] },
  });
}

export function tooLarge(maxBytes: number): WaybillError {
  return new WaybillError('body_too_large', `a blob has at most ${maxBytes} bytes here`, {
    hint: 'The limit is `registry.maxBlobBytes` in the configuration.',
    details: { maxBytes },
  });
}
