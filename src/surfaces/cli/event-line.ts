import type { LedgerEvent } from '../../contract/evidence.ts';
import type { Palette } from './palette.ts';
import { printableLine } from './printable.ts';
import { stepName } from './step-words.ts';

const widestType = 'attempt.interrupted'.length;

/** One event as a line of a table: number, time, type, step, and what it carries, cut to a readable length. */
export function eventLine(event: LedgerEvent, { dim, bold, red, green }: Palette): string {
  const paint = event.type.endsWith('.failed') ? red : event.type.endsWith('.succeeded') ? green : bold;
  const step = event.step === undefined ? '' : ` ${printableLine(stepName(event.step))}`;
  const attempt = event.attempt === undefined || event.attempt === 1 ? '' : ` (attempt ${event.attempt})`;
  const data = JSON.stringify(event.data);
  const carried = data === '{}' ? '' : ` ${dim(printableLine(data, 160))}`;
  const type = paint(event.type) + ' '.repeat(Math.max(0, widestType - event.type.length));
  return `${dim(String(event.seq).padStart(5))} ${dim(event.time.slice(11, 23))} ${type}${step}${attempt}${carried}`;
}
