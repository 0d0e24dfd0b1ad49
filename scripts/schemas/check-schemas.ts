import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CheckReport } from '../checks/check.ts';
import { published, renderSchema } from './published.ts';

const suffix = '.v1.json';

/** Compares the committed schemas with their source of truth: one missing, changed or left over is a problem. */
export async function checkSchemas(folder: string): Promise<CheckReport> {
  const problems: string[] = [];
  const files = (await readdir(folder)).filter((file) => file.endsWith('.json'));
  for (const [name, schema] of Object.entries(published)) {
    const file = `${name}${suffix}`;
    if (!files.includes(file)) problems.push(`${file} is missing`);
    else if ((await readFile(join(folder, file), 'utf8')) !== renderSchema(name, schema)) {
      problems.push(`${file} differs from its source: run "node scripts/schemas.ts" and look at the change`);
    }
  }
  for (const file of files) {
    if (!Object.hasOwn(published, file.slice(0, -suffix.length))) problems.push(`${file} has no source any more`);
  }
  return { counts: { schemas: Object.keys(published).length }, problems };
}

export async function writeSchemas(folder: string): Promise<void> {
  for (const [name, schema] of Object.entries(published)) {
    await writeFile(join(folder, `${name}${suffix}`), renderSchema(name, schema));
  }
}
