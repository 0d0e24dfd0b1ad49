// Publishes what was built. A command that was interrupted comes again, under the same key, so it looks first: the key
// is the name under which a registry, a payment or a mail would be asked for a second time.
import { readFile, writeFile } from 'node:fs/promises';

const key = process.env.WAYBILL_IDEMPOTENCY_KEY;
const before = JSON.parse(await readFile('dist/released.json', 'utf8').catch(() => '{}'));
if (before.key !== key) await writeFile('dist/released.json', JSON.stringify({ key, bump: process.argv[2] }));
console.log('published');
