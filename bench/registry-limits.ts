import { createHash, randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { median } from './engine-result.ts';

/** What no registry can be faster than, MiB a second. */
export interface Limits {
  readonly sha256: number;
  /** Written in blocks of 1 MiB, with one fsync at the end. */
  readonly write: number;
  /** Just after it was written, so out of the page cache: a large file that is fetched is often one that just came. */
  readonly read: number;
}

const block = 1 << 20;

/** SHA-256 and the disk on a file of `bytes` bytes, one after the other, in this process. */
export function measureLimits(data: string, bytes: number): Limits {
  const content = randomBytes(bytes);
  const file = join(data, 'limits');
  const mib = bytes / 2 ** 20;
  const rateOf = (work: () => void) => {
    const start = performance.now();
    work();
    return mib / ((performance.now() - start) / 1000);
  };
  const sha256 = rateOf(() => createHash('sha256').update(content).digest());
  const write = rateOf(() => {
    const descriptor = openSync(file, 'w');
    for (let at = 0; at < bytes; at += block) writeSync(descriptor, content, at, Math.min(block, bytes - at));
    fsyncSync(descriptor);
    closeSync(descriptor);
  });
  const read = rateOf(() => {
    const descriptor = openSync(file, 'r');
    const into = Buffer.alloc(block);
    for (let at = 0; at < bytes; ) at += readSync(descriptor, into, 0, block, at);
    closeSync(descriptor);
  });
  rmSync(file);
  return { sha256, write, read };
}

export function medianOfLimits(rounds: readonly Limits[]): Limits {
  return {
    sha256: median(rounds.map((one) => one.sha256)),
    write: median(rounds.map((one) => one.write)),
    read: median(rounds.map((one) => one.read)),
  };
}
