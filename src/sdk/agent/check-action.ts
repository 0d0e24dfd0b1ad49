import { randomBytes } from 'node:crypto';
import type { JsonObject } from '../../contract/json.ts';

/**
 * The work of the action `waybill.check`: says that it was really done (a new `execution` each time) and, when
 * `lineBytes` asks for it, is as long as makes the line of the answer that long.
 */
export function checkOutputs(inputs: JsonObject, lineOf: (outputs: JsonObject) => string): JsonObject {
  const bare = { execution: randomBytes(16).toString('hex'), padding: '' };
  const { lineBytes } = inputs;
  if (typeof lineBytes !== 'number') return bare;
  const missing = lineBytes - Buffer.byteLength(lineOf(bare));
  if (missing < 0) throw new RangeError(`an answer cannot be as short as ${lineBytes} bytes`);
  return { ...bare, padding: 'x'.repeat(missing) };
}
