import { z } from 'zod';
import { WaybillError } from '../../contract/errors.ts';
import type { ProcessIdentity } from './ports.ts';

const identitySchema = z.strictObject({
  pid: z.int(),
  startTime: z.string(),
  bootId: z.string(),
  host: z.string(),
  marker: z.string(),
});

/** Reads the identity of a process from its row. @throws WaybillError `store_corrupt` */
export function parseIdentity(text: string | null): ProcessIdentity {
  const parsed = identitySchema.safeParse(text === null ? null : JSON.parse(text));
  if (parsed.success) return parsed.data;
  throw new WaybillError('store_corrupt', 'the store holds a process whose identity cannot be read');
}
