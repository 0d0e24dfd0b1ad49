import { hostname } from 'node:os';
import { WaybillError } from '../../contract/errors.ts';
import type { HolderIdentity, HostPort } from '../../domain/runs/ports.ts';
import { randomHex } from '../../platform/ids/make-id.ts';
import { bootId, whereabouts } from './identity.ts';
import { startTimeOf } from './process-table.ts';

/** This program as a holder of leases, and whether another one still lives. */
export function createHost(): HostPort {
  const startTime = startTimeOf(process.pid);
  if (startTime === undefined) {
    throw new WaybillError('containment_failed', 'this program cannot find itself in the list of processes', {
      hint: 'Mount /proc for the pid namespace this program runs in.',
    });
  }
  return {
    self: { pid: process.pid, startTime, bootId: bootId(), host: hostname(), instance: randomHex(8) },
    liveness,
  };
}

function liveness(holder: HolderIdentity): 'alive' | 'dead' | 'unknown' {
  switch (whereabouts(holder)) {
    case 'here':
      return startTimeOf(holder.pid) === holder.startTime ? 'alive' : 'dead';
    case 'ended with an earlier boot':
      return 'dead';
    case 'another namespace':
    case 'another machine':
      return 'unknown';
  }
}
