import { isMainThread, type MessagePort, parentPort, Worker, workerData } from 'node:worker_threads';
import { lookAtSome } from './stat-rows.ts';
import type { PathKey } from './tree-path.ts';

/** One round of looking, shared by the threads: each takes the next few keys until none are left. */
export interface Round {
  readonly number: number;
  readonly root: string;
  /** Keys joined by NUL: one text crosses to the other thread ten times as fast as ten thousand. */
  readonly keys: string;
  /** Shared memory, one row a key. */
  readonly rows: Float64Array;
  /** Shared memory: index of the next key nobody has taken. */
  readonly next: Int32Array;
}

const tag = 'waybill stat thread';
let thread: Worker | undefined;
let rounds = 0;

/** The second thread that looks at files; started once, it never keeps the process alive. */
function statThread(): Worker {
  if (thread !== undefined) return thread;
  const started = new Worker(new URL(import.meta.url), { workerData: tag, execArgv: [], stdout: false, stderr: false });
  started.unref();
  started.once('exit', () => {
    if (thread === started) thread = undefined;
  });
  started.setMaxListeners(0);
  thread = started;
  return started;
}

/**
 * Lets the second thread take part in a round.
 * @returns resolves when that thread writes no more rows; rejects when it died, and then some may be missing
 */
export function joinRound(work: Omit<Round, 'number'>): Promise<void> {
  const round: Round = { ...work, number: ++rounds };
  const worker = statThread();
  const done = Promise.withResolvers<void>();
  const onDone = (finished: number): void => {
    if (finished === round.number) done.resolve();
  };
  worker.on('message', onDone);
  worker.once('error', done.reject);
  worker.ref();
  worker.postMessage(round);
  return done.promise.finally(() => {
    worker.off('message', onDone);
    worker.off('error', done.reject);
    worker.unref();
  });
}

function serve(port: MessagePort): void {
  port.on('message', (round: Round) => {
    const keys: PathKey[] = round.keys.split('\0');
    while (lookAtSome(round.root, keys, round.rows, round.next)) {
      // The next few; the other thread takes its share at the same time.
    }
    port.postMessage(round.number);
  });
}

if (!isMainThread && workerData === tag && parentPort !== null) serve(parentPort);
