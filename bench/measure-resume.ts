import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { z } from 'zod';
import { median } from './engine-result.ts';
import type { ResumeTimes } from './results.ts';

const madeSchema = z.object({ runId: z.string() });
const idleSchema = z.object({ peak: z.number() });
const resumedSchema = z.object({ resumed: z.number(), finished: z.number(), peak: z.number(), events: z.int() });

/** R33: makes a ledger of so many events whose holder is dead, then resumes it in a process of its own. */
export function measureResume(data: string, events: number, rounds: number): ResumeTimes {
  const times = Array.from({ length: rounds }, (_, round) => {
    const folder = join(data, `resume-${round}`);
    const { runId } = madeSchema.parse(runMode('make', folder, String(events)));
    const idle = idleSchema.parse(runMode('idle', folder));
    const resumed = resumedSchema.parse(runMode('resume', folder, '0', runId));
    if (resumed.events < events) throw new Error(`the ledger has ${resumed.events} events instead of ${events}`);
    return { ...resumed, aboveIdle: (resumed.peak - idle.peak) / 1024 };
  });
  return {
    events,
    resumed: median(times.map(({ resumed }) => resumed)) / 1000,
    finished: median(times.map(({ finished }) => finished)) / 1000,
    aboveIdle: median(times.map(({ aboveIdle }) => aboveIdle)),
  };
}

function runMode(...args: readonly string[]): unknown {
  const end = spawnSync(process.execPath, [join(import.meta.dirname, 'resume.ts'), ...args], { encoding: 'utf8' });
  // The mode `make` kills itself: that is the crash the others resume from.
  if (end.status !== 0 && end.signal !== 'SIGKILL') throw new Error(`resume.ts ${args[0]}: ${end.stderr}`);
  return JSON.parse(end.stdout);
}
