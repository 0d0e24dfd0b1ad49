import type { Receipt } from '../../contract/evidence.ts';
import { durationText } from './duration.ts';
import type { Palette } from './palette.ts';
import { printableLine } from './printable.ts';
import { stepName } from './step-words.ts';
import { table } from './table.ts';

/** The receipts of a run, one a line; those of an earlier run that it shares name that run. */
export function receiptTable(runId: string, receipts: readonly Receipt[], { dim, green, red }: Palette): string {
  if (receipts.length === 0) return 'No step is finished yet.';
  const rows = receipts.map((receipt) => [
    String(receipt.number),
    (receipt.outcome === 'succeeded' ? green : red)(receipt.outcome),
    printableLine(stepName(receipt.step)),
    receipt.action,
    receipt.task ?? '',
    String(receipt.attempts),
    durationText(Date.parse(receipt.finishedAt) - Date.parse(receipt.startedAt)),
    receipt.runId === runId ? '' : dim(`shared with ${receipt.runId}`),
  ]);
  return table(['step', 'outcome', 'name', 'action', 'task', 'attempts', 'took', ''].map(dim), rows);
}

/** One receipt in full. */
export function receiptText(receipt: Receipt, { bold, dim, green, red }: Palette): string {
  const outcome = (receipt.outcome === 'succeeded' ? green : red)(receipt.outcome);
  const lines = [
    `${bold(printableLine(stepName(receipt.step)))} ${outcome}`,
    `  ${dim('run')}        ${receipt.runId}, step ${receipt.number}${receipt.task === null ? '' : `, task ${receipt.task}`}`,
    `  ${dim('action')}     ${printableLine(receipt.action)}, ${receipt.attempts} attempt${receipt.attempts === 1 ? '' : 's'}`,
    `  ${dim('key')}        ${receipt.idempotencyKey}`,
    `  ${dim('time')}       ${receipt.startedAt} to ${receipt.finishedAt}`,
    `  ${dim('events')}     ${receipt.events.first} to ${receipt.events.last}`,
    `  ${dim('inputs')}     ${printableLine(JSON.stringify(receipt.inputs))}`,
  ];
  if (receipt.failure !== undefined) {
    lines.push(`  ${dim('failure')}    ${receipt.failure.code}: ${printableLine(receipt.failure.message)}`);
  }
  if (receipt.outputs !== undefined)
    lines.push(`  ${dim('outputs')}    ${printableLine(JSON.stringify(receipt.outputs))}`);
  if (receipt.outputsBlob !== undefined) {
    lines.push(`  ${dim('outputs')}    ${receipt.outputsBlob.size} bytes, ${receipt.outputsBlob.blob}`);
  }
  for (const { path, size, digest } of receipt.artifacts) {
    lines.push(`  ${dim('artifact')}   ${printableLine(path)} ${dim(`${size} bytes, ${digest}`)}`);
  }
  if (receipt.treeAfter !== null) lines.push(`  ${dim('tree after')} ${receipt.treeAfter}`);
  return lines.join('\n');
}
