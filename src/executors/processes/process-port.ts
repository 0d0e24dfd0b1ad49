import { WaybillError } from '../../contract/errors.ts';
import type { HeldProcess, KillReport, ProcessIdentity, ProcessPort, ProcessSpec } from '../../domain/runs/ports.ts';
import type { ProbedContainment } from './containment.ts';
import { holdProcess } from './held-process.ts';
import { identify, whereabouts } from './identity.ts';
import { kinshipOf, nameOf } from './kin.ts';
import { startTimeOf } from './process-table.ts';
import { resolveProgram } from './resolve-program.ts';
import { spawnAtGate } from './spawn-at-gate.ts';
import { sweep } from './sweep.ts';

/** What a marker looks like: long enough never to be met by chance, and free of the comma that separates markers. */
const markerShape = /^[A-Za-z0-9._:-]{8,256}$/;

/**
 * Starts and ends processes of this machine with the containment `probeContainment` has found.
 *
 * Every process gets its own session and stands at a gate until `release()`. While this program is alive its tree is
 * ended by `kill`; when this program dies, a contained tree dies with it, and a swept one is ended by the next
 * `killLeftovers`. Start processes from the main thread: the kernel ties a contained one to the thread that started it.
 *
 * A program gets the environment of its spec as it is, plus `WAYBILL_MARKER`; names a POSIX shell cannot hold are lost.
 */
export function createProcessPort(containment: ProbedContainment): ProcessPort {
  return {
    containment: { how: containment.how, means: containment.means },
    start: (spec) => start(spec, containment),
    killLeftovers,
  };
}

/**
 * @throws WaybillError `process_spawn_failed` when there is no such program or folder, or the system refuses;
 * `invalid_argument` for a marker that could be met by chance.
 */
async function start(spec: ProcessSpec, containment: ProbedContainment): Promise<HeldProcess> {
  if (!markerShape.test(spec.marker)) {
    throw new WaybillError('invalid_argument', 'not a process marker', {
      hint: `A marker matches ${markerShape.source}.`,
    });
  }
  await resolveProgram(spec);
  const [program] = spec.argv;
  const atGate = await spawnAtGate(spec, containment);
  const startTime = startTimeOf(atGate.pid);
  if (startTime === undefined) {
    throw new WaybillError('process_spawn_failed', `${JSON.stringify(program)} vanished while it stood at its gate`, {
      hint: 'Something outside Waybill killed it; nothing of the program has run.',
      details: { program, retryable: true },
    });
  }
  return holdProcess(atGate, identify(atGate.pid, startTime, spec.marker), containment, program);
}

/**
 * Ends what an earlier, dead runner has left of a process. Only what proves to be ours is touched: the process of that
 * pid if its start time is the recorded one, what carries the marker, and the kin of both.
 * @throws WaybillError `containment_failed` when the process lived on another machine, whose processes nobody here can see.
 */
async function killLeftovers(identity: ProcessIdentity, graceMs: number): Promise<KillReport> {
  switch (whereabouts(identity)) {
    case 'ended with an earlier boot':
      return { how: 'swept', signaled: 0, left: 0 };
    case 'another machine':
      throw new WaybillError(
        'containment_failed',
        `process ${identity.pid} was started on ${identity.host}, not on this machine`,
        {
          hint: `Resume the run on ${identity.host}, or make sure that the process is gone there.`,
          details: { host: identity.host, pid: identity.pid },
        },
      );
    case 'here':
    case 'another namespace': {
      const kinship = kinshipOf(identity.marker);
      kinship.known.add(nameOf(identity));
      return { how: 'swept', ...(await sweep(kinship, graceMs)) };
    }
  }
}
