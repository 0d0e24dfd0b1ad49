import { setTimeout as delay } from 'node:timers/promises';
import type { Readiness } from '../contract/api/system.ts';
import { WaybillError } from '../contract/errors.ts';
import type { Engine } from '../domain/runs/engine.ts';
import { queueCounts } from '../domain/runs/queue/queue-counts.ts';
import type { RunWorker } from '../workers/run-worker.ts';

/** A store that takes longer than this to answer is not ready, whatever it says in the end. */
const patienceMs = 2_000;

/** Asks each dependency now; nothing of it is remembered. */
export async function readiness(engine: Pick<Engine, 'store'>, worker: RunWorker): Promise<Readiness> {
  const { draining, trouble } = worker.statistics;
  const dependencies = [
    dependency(`store (${engine.store.engine})`, await whyNot(engine)),
    dependency('worker', draining ? 'it is draining' : trouble === null ? null : `it cannot claim: ${trouble.code}`),
  ];
  return { ready: dependencies.every(({ ready }) => ready), dependencies };
}

function dependency(name: string, reason: string | null) {
  return { name, ready: reason === null, reason };
}

async function whyNot({ store }: Pick<Engine, 'store'>): Promise<string | null> {
  const late = new AbortController();
  try {
    const answer = queueCounts(store).then(() => null);
    return await Promise.race([
      answer,
      delay(patienceMs, `no answer within ${patienceMs} ms`, { signal: late.signal, ref: false }),
    ]);
  } catch (error) {
    return error instanceof WaybillError ? `${error.code}: ${error.message}` : 'it failed in an unknown way';
  } finally {
    late.abort();
  }
}
