// waybill.tools/lines/count.mjs
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';

const { files } = JSON.parse(await text(process.stdin));
let report = '';
let total = 0;
for (const file of files) {
  const lines = readFileSync(file, 'utf8').split('\n').length - 1;
  console.error(`${file}: ${lines}`);
  report += `${lines}\t${file}\n`;
  total += lines;
}
mkdirSync('reports', { recursive: true });
writeFileSync('reports/lines.txt', report);
console.log(JSON.stringify({ total }));
