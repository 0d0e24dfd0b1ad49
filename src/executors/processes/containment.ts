import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import { WaybillError } from '../../contract/errors.ts';
import type { Containment } from '../../domain/runs/ports.ts';
import { shell } from './gate.ts';

/** What the probe found: the containment as others see it, and how to put a program into it. */
export interface ProbedContainment extends Containment {
  /** Goes before `sh -c SCRIPT sh ARGV`; empty when processes can only be swept. */
  readonly wrapper: readonly string[];
  /** True when the shell of the gate reports a program's death by signal, so that it is not mistaken for exit 128+n. */
  readonly shellReportsSignals: boolean;
}

const sweeping = 'search by process group, session, lineage and environment marker';
let probed: Promise<ProbedContainment> | undefined;

/**
 * Finds out, once per process and only when first asked, how this machine can make sure that nothing is left
 * of a program. Linux: each way into a new pid namespace gets one trial run, the first that works is
 * used. The kernel kills all that is in a pid namespace when its first process dies, and the first process is tied to
 * us by the parent-death signal. Elsewhere, and where no namespace is allowed: sweep.
 *
 * `WAYBILL_CONTAINMENT=swept` in our environment skips the trial. It is the way out for programs that need what a
 * namespace takes away (an ordinary user's `sudo`, for example).
 *
 * Cost, measured on two busy cores (medians of 60, start to exit of `true`): plain spawn through Node 4 ms, held at a gate
 * and swept 8 ms, contained 13 ms; the trial once 30 ms.
 * @throws WaybillError `config_invalid` when `WAYBILL_CONTAINMENT` has another value.
 */
export async function probeContainment(): Promise<ProbedContainment> {
  probed ??= waysToContain(process.env.WAYBILL_CONTAINMENT)
    .next()
    .then(({ value }) => value);
  return probed;
}

/** Tries the ways one after the other and yields those that work here, best first; the last one is to sweep. */
export async function* waysToContain(wish: string | undefined): AsyncGenerator<ProbedContainment, ProbedContainment> {
  if (wish !== undefined && wish !== '' && wish !== 'swept') {
    throw new WaybillError('config_invalid', `WAYBILL_CONTAINMENT is ${JSON.stringify(wish)}`, {
      hint: 'Unset it to let Waybill choose, or set it to "swept".',
    });
  }
  if (wish === 'swept') return swept('asked for by WAYBILL_CONTAINMENT');
  if (process.platform !== 'linux') return swept(`no pid namespaces on ${process.platform}`);
  const tools = await findTools();
  let refusal = tools === undefined ? 'setpriv, unshare or setsid is not installed' : 'no way into a pid namespace';
  for (const candidate of tools === undefined ? [] : candidates(tools)) {
    const trial = await tryOut(candidate.wrapper);
    if (trial.works) yield { how: 'contained', ...candidate, shellReportsSignals: trial.shellReportsSignals };
    else refusal = trial.refusal;
  }
  return swept(refusal);
}

function swept(reason: string): ProbedContainment {
  return { how: 'swept', means: `${sweeping} (${reason})`, wrapper: [], shellReportsSignals: false };
}

type Tools = Readonly<Record<'setpriv' | 'unshare' | 'setsid', string>>;

/** The tools by absolute path, the system's own first: a program's PATH must not decide which `unshare` contains it. */
async function findTools(): Promise<Tools | undefined> {
  const elsewhere = (process.env.PATH ?? '').split(':').filter((folder) => folder.startsWith('/'));
  const folders = ['/usr/bin', '/bin', ...elsewhere];
  const find = async (name: string): Promise<string | undefined> => {
    for (const folder of folders) {
      const path = join(folder, name);
      // Not being there is the answer we look for, not a failure.
      if (
        await access(path, constants.X_OK).then(
          () => true,
          () => false,
        )
      )
        return path;
    }
    return undefined;
  };
  const [setpriv, unshare, setsid] = await Promise.all([find('setpriv'), find('unshare'), find('setsid')]);
  return setpriv && unshare && setsid ? { setpriv, unshare, setsid } : undefined;
}

/**
 * The ways into a pid namespace, best first. Root goes without a user namespace: inside one it could neither
 * change the owner of a file nor open what belongs to others. A namespace without its own /proc comes last: there
 * programs see the pids of the outside in /proc; but some containers forbid the mount.
 *
 * `setsid` gives the program a process group of its own: a `kill 0` in a script must not reach `unshare`.
 */
function candidates(tools: Tools): readonly { readonly means: string; readonly wrapper: readonly string[] }[] {
  const wrapper = (...flags: readonly string[]): readonly string[] => [
    ...[tools.setpriv, '--pdeathsig', 'KILL', tools.unshare, ...flags, '--pid', '--fork', '--kill-child=SIGKILL'],
    tools.setsid,
  ];
  const asRoot = [
    { means: 'pid namespace, mounted proc', wrapper: wrapper('--mount-proc') },
    { means: 'pid namespace', wrapper: wrapper() },
  ];
  const asAnyone = [
    { means: 'user+pid namespace, mounted proc', wrapper: wrapper('--user', '--map-current-user', '--mount-proc') },
    { means: 'user+pid namespace', wrapper: wrapper('--user', '--map-current-user') },
  ];
  return process.geteuid?.() === 0 ? [...asRoot, ...asAnyone] : asAnyone;
}

type Trial =
  | { readonly works: true; readonly shellReportsSignals: boolean }
  | { readonly works: false; readonly refusal: string };

/** Runs a program that dies of SIGHUP: 129 proves that it ran inside, a word on stderr that the shell reports signals. */
function tryOut(wrapper: readonly string[]): Promise<Trial> {
  const [file = '', ...args] = wrapper;
  const script = `(exec ${shell} -c 'test $$ -le 9 && kill -HUP $$'); exit $?`;
  return new Promise((resolve) => {
    execFile(
      file,
      [...args, shell, '-c', script],
      { timeout: 5000, killSignal: 'SIGKILL' },
      (error, _stdout, stderr) => {
        if (error?.code === 129) resolve({ works: true, shellReportsSignals: stderr.trim() !== '' });
        else
          resolve({
            works: false,
            refusal: stderr.trim().split('\n')[0] || (error?.message ?? 'the trial run did not end as it should'),
          });
      },
    );
  });
}
