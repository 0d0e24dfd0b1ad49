import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pagesWithCommands } from './docs/pages.ts';
import { runTour } from './docs/tour.ts';

// `node scripts/dev.mjs run scripts/docs.ts [PAGE ...]`: runs the commands of the documentation and writes into it
// what they print. test/docs.test.ts runs them too, and fails where the pages say something else.
const root = join(import.meta.dirname, '..');
const pages = process.argv.length > 2 ? process.argv.slice(2) : pagesWithCommands;
for (const name of pages) {
  const { page, commands } = await runTour(await readFile(join(root, name), 'utf8'));
  await writeFile(join(root, name), page);
  console.log(`${name}: ${commands} commands`);
}
