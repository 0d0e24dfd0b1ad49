import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { median } from './engine-result.ts';
import type { Machine } from './results.ts';

interface Moment {
  readonly sync: number;
  readonly load: number;
}

/** How fast this disk makes 4 KiB durable just now, and how busy the machine is. */
export function takeMoment(data: string): Moment {
  const file = join(data, 'sync');
  const descriptor = openSync(file, 'w');
  const page = Buffer.alloc(4096);
  const times: number[] = [];
  for (let index = 0; index < 200; index += 1) {
    writeSync(descriptor, page, 0, page.length, index * page.length);
    const start = performance.now();
    fdatasyncSync(descriptor);
    times.push(performance.now() - start);
  }
  closeSync(descriptor);
  rmSync(file);
  return { sync: median(times), load: loadavg()[0] ?? 0 };
}

export function describeMachine(before: Moment, after: Moment): Machine {
  const [first] = cpus();
  return {
    date: new Date().toISOString().slice(0, 10),
    processor: first?.model ?? 'unknown',
    cores: cpus().length,
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    system: `${process.platform} ${release()}`,
    node: process.version,
    syncBefore: before.sync,
    syncAfter: after.sync,
    loadBefore: before.load,
    loadAfter: after.load,
  };
}
