import { z } from 'zod';
import { ledgerEventSchema, receiptSchema } from '../src/contract/evidence.ts';
import { waybillJson } from './programs.ts';

const stateSchema = z.object({
  state: z.string(),
  interrupted: z.boolean(),
  pending: z.array(z.object({ action: z.string(), idempotencyKey: z.string() })),
  snapshot: z.object({ id: z.string() }),
});

/** The run as `waybill show --json`, `--receipts` and `waybill events` tell it, checked. */
export async function readRun(project: string, runId: string) {
  const [[state], [shown], events] = await Promise.all([
    waybillJson(project, ['show', runId]),
    waybillJson(project, ['show', runId, '--receipts']),
    waybillJson(project, ['events', runId]),
  ]);
  return {
    ...stateSchema.parse(state),
    receipts: z.object({ receipts: z.array(receiptSchema) }).parse(shown).receipts,
    events: z.array(ledgerEventSchema).parse(events),
  };
}
