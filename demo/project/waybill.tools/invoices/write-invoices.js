import { appendFile, mkdir, writeFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { total } from '../../src/total.js';

// A tool as people write them: JSON in, JSON out, words for people on standard error. It looks first whether its work is
// done already: a call can come twice, because the first time ended in a crash.
const { orders } = JSON.parse(await text(process.stdin));
await mkdir('invoices', { recursive: true });
let cents = 0;
for (const { id, lines } of orders) {
  const sum = total(lines);
  cents += sum;
  const written = await writeFile(`invoices/${id}.txt`, `${id} ${(sum / 100).toFixed(2)}\n`, { flag: 'wx' }).then(
    () => true,
    () => false,
  );
  if (written) await appendFile('invoices/log.txt', `${id}\n`);
  console.error(written ? `order ${id}: ${(sum / 100).toFixed(2)}` : `order ${id}: has its invoice`);
  await pause(400);
}
console.log(JSON.stringify({ invoices: orders.length, cents }));
