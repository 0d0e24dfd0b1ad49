import { WaybillError } from '../../contract/errors.ts';

/** A run that retention took while its events were read: what was shown is sound, and there is no more of it. */
export function removedMeanwhile(runId: string, cursor: number): WaybillError {
  return new WaybillError('run_removed', `${runId} was removed by retention after event ${cursor}`, {
    hint: 'What was printed is sound; the rest is gone. Export what must be kept: waybill export RUN --out FILE',
    details: { runId, cursor },
  });
}
