import { randomBytes } from 'node:crypto';
import { type Id, parseId, type RunId } from '../../contract/ids.ts';
import { formatTime, type Micros } from '../clock/clock.ts';

let pool: Buffer = randomBytes(4096);
let used = 0;

/** Random hex from a pool: asking the kernel for each id would cost more than the rest of the id. */
export function randomHex(bytes: number): string {
  if (used + bytes > pool.length) {
    pool = randomBytes(4096);
    used = 0;
  }
  used += bytes;
  return pool.toString('hex', used - bytes, used);
}

/**
 * `run-YYYYMMDD-HHMMSS-<8 hex>` in UTC. Of the eight digits five are the fraction of the second and three are
 * random, so ids sort by time and runs of one moment lie side by side in every index (random digits would dirty
 * a page a run); the caller's insert is unique and tries again on a clash.
 */
export function makeRunId(now: Micros): RunId {
  const time = formatTime(now);
  const date = time.slice(0, 10).replaceAll('-', '');
  const clock = time.slice(11, 19).replaceAll(':', '');
  const fraction = Math.floor(((now % 1_000_000) / 1_000_000) * 0x100000);
  return parseId('run', `run-${date}-${clock}-${fraction.toString(16).padStart(5, '0')}${randomHex(2).slice(0, 3)}`);
}

const prefixes = {
  envelope: ['err_', 16],
  incident: ['inc_', 8],
  decision: ['dec_', 16],
  gateRun: ['gr_', 16],
  package: ['pkg_', 8],
  version: ['ver_', 8],
  upload: ['upl_', 16],
  webhook: ['wh_', 8],
  policyRule: ['rule_', 8],
} as const;

export function makeId<K extends keyof typeof prefixes>(kind: K): Id<K> {
  const [prefix, bytes] = prefixes[kind];
  return parseId(kind, `${prefix}${randomHex(bytes)}`);
}

export function makeTraceId(): Id<'traceId'> {
  for (;;) {
    const hex = randomHex(16);
    if (!/^0+$/.test(hex)) return parseId('traceId', hex);
  }
}

export function makeSpanId(): Id<'spanId'> {
  for (;;) {
    const hex = randomHex(8);
    if (!/^0+$/.test(hex)) return parseId('spanId', hex);
  }
}
