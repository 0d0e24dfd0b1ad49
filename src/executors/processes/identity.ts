import { execFileSync } from 'node:child_process';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import type { ProcessIdentity } from '../../domain/runs/ports.ts';

let boot: string | undefined;

/**
 * Names the place in which a pid and a start time mean something: this boot of this kernel, and on Linux the pid
 * namespace, as `<boot>/<namespace>`. Two containers of one machine differ in the second part only.
 */
export function bootId(): string {
  boot ??=
    process.platform === 'linux'
      ? `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}/${readlinkSync('/proc/self/ns/pid').replaceAll(/\D/g, '')}`
      : execFileSync('sysctl', ['-n', 'kern.bootsessionuuid'], { encoding: 'utf8' }).trim();
  return boot;
}

/** The identity of a living process of this machine. */
export function identify(pid: number, startTime: string, marker: string): ProcessIdentity {
  return { pid, startTime, bootId: bootId(), host: hostname(), marker };
}

/** What an identity says about where its process can still be. */
export type Whereabouts = 'here' | 'another namespace' | 'ended with an earlier boot' | 'another machine';

export function whereabouts(identity: { readonly bootId: string; readonly host: string }): Whereabouts {
  if (identity.bootId === bootId()) return 'here';
  const [kernel] = bootId().split('/', 1);
  // The boot decides before the host name does: a container that was made again has another name.
  if (identity.bootId.split('/', 1)[0] === kernel) return 'another namespace';
  return identity.host === hostname() ? 'ended with an earlier boot' : 'another machine';
}
