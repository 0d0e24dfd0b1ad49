import { WaybillError } from '../../contract/errors.ts';
import type { Receipt } from '../../contract/evidence.ts';
import type { RunId } from '../../contract/ids.ts';
import { displayStep } from './keys/step-key.ts';
import { type Looking, listReceipts, showReceipt } from './show-run.ts';

/**
 * A receipt by its number, or by the name of its step when only one receipt has it.
 * @throws WaybillError `run_not_found`, `receipt_not_found`
 */
export async function findReceipt(engine: Pick<Looking, 'store'>, runId: RunId, step: string): Promise<Receipt> {
  if (/^[1-9]\d{0,8}$/.test(step)) return (await showReceipt(engine, runId, Number(step))).receipt;
  const receipts = (await listReceipts(engine, runId)).map(({ receipt }) => receipt);
  const exact = receipts.filter((receipt) => displayStep(receipt.step) === step);
  const found = exact.length > 0 ? exact : receipts.filter((receipt) => receipt.step.name === step);
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  const numbers = found.map(({ number }) => number).join(', ');
  throw new WaybillError(
    'receipt_not_found',
    found.length === 0
      ? `run ${runId} has no receipt of a step "${step}"`
      : `run ${runId} has ${found.length} receipts of steps named "${step}": ${numbers}`,
    { hint: 'Give the number of the receipt; the list of steps has them.' },
  );
}
