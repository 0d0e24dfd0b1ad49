import type { Gate } from '../../gates/gate.ts';
import { listReceipts, showRun } from '../../runs/show-run.ts';
import type { Registry, VersionSubject } from '../registry.ts';

/**
 * The run's own checks are green: the run a version was made by has succeeded, none of its steps failed, not even one whose
 * failure its workflow put up with, and each file of the version is one that a step made: naming a run is not enough. A
 * version without a run has nothing to look at, and so does not pass.
 */
export function runChecksGate(registry: Pick<Registry, 'store' | 'clock' | 'host'>): Gate<VersionSubject> {
  return {
    id: 'run-checks',
    definition: {
      gate: 'run-checks',
      rule: 'run succeeded; no receipt failed; each entry was made by a step',
      version: 2,
    },
    check: async ({ run, entries }) => {
      if (run === null) {
        const problems = [{ where: 'run', message: 'this version was not made by a run' }];
        return { outcome: 'failed', checked: 0, problems };
      }
      const { state } = await showRun(registry, run);
      const receipts = await listReceipts(registry, run);
      const problems = receipts
        .filter(({ receipt }) => receipt.outcome === 'failed')
        .map(({ receipt }) => ({
          where: `${receipt.runId} receipt ${receipt.number} (${receipt.step.name})`,
          message: receipt.failure?.code ?? 'failed',
        }));
      const made = new Set(
        receipts
          .filter(({ receipt }) => receipt.outcome === 'succeeded')
          .flatMap(({ receipt }) => receipt.artifacts.map(({ digest }) => digest)),
      );
      for (const { path, digest } of entries) {
        if (!made.has(digest)) problems.push({ where: path, message: `no step of ${run} made these bytes` });
      }
      if (state !== 'succeeded') problems.unshift({ where: run, message: `the run is ${state}` });
      if (receipts.length === 0) problems.push({ where: run, message: 'the run has no receipts: nothing was checked' });
      return {
        outcome: problems.length === 0 ? 'passed' : 'failed',
        checked: receipts.length + entries.length,
        problems,
      };
    },
  };
}
