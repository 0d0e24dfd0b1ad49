import { z } from 'zod';
import { WaybillError } from '../../../contract/errors.ts';
import { canonicalJson } from '../../../platform/canonical-json/canonical-json.ts';
import type { Micros } from '../../../platform/clock/clock.ts';
import type { HolderIdentity } from '../ports.ts';

const holderSchema = z.strictObject({
  pid: z.int(),
  startTime: z.string(),
  bootId: z.string(),
  host: z.string(),
  instance: z.string(),
  since: z.int(),
  /** How many receipts the run had when it was taken; none when left out. */
  receipts: z.int().optional(),
});
export type Holder = z.infer<typeof holderSchema>;

/** The text of the `holder` column. */
export function holderText(self: HolderIdentity, since: Micros, receipts = 0): string {
  return canonicalJson({
    pid: self.pid,
    startTime: self.startTime,
    bootId: self.bootId,
    host: self.host,
    instance: self.instance,
    since,
    ...(receipts === 0 ? {} : { receipts }),
  });
}

/** @throws WaybillError `store_corrupt` */
export function parseHolder(text: string | null): Holder | null {
  if (text === null) return null;
  const parsed = holderSchema.safeParse(JSON.parse(text));
  if (parsed.success) return parsed.data;
  throw new WaybillError('store_corrupt', 'the store holds a lease whose holder cannot be read', {
    hint: 'Verify the run with `waybill verify RUN`.',
  });
}
