// Builds one package, and says what kind of change it holds.
import { mkdir, readFile, writeFile } from 'node:fs/promises';

const name = process.argv[2];
const { change, text } = JSON.parse(await readFile(`packages/${name}.json`, 'utf8'));
await mkdir('dist', { recursive: true });
await writeFile(`dist/${name}.json`, JSON.stringify({ name, text: text.toUpperCase() }));
console.log(change);
