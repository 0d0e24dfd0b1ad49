import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type AcceptanceCase, casesIn } from './cases.ts';

/** The order of the areas in the lists and on the page. */
const areas: readonly string[] = ['runs', 'daemon', 'registry', 'forensics', 'workspace', 'agents'];

/** The cases of the lists beside the checkout; none where they are not there. */
export async function readShared(root: string): Promise<AcceptanceCase[]> {
  const folder = join(root, '..', 'shared', 'acceptance');
  const files: readonly string[] = await readdir(folder).catch(() => []);
  const lists = areas.filter((area) => files.includes(`${area}.md`));
  const cases = await Promise.all(
    lists.map(async (area) => casesIn(await readFile(join(folder, `${area}.md`), 'utf8'), area)),
  );
  return cases.flat().sort((a, b) => areaOf(a) - areaOf(b) || numberOf(a) - numberOf(b));
}

function areaOf({ area }: AcceptanceCase): number {
  return areas.indexOf(area);
}

function numberOf({ id }: AcceptanceCase): number {
  return Number(id.slice(1));
}
