import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CheckReport } from '../checks/check.ts';
import { casesSchema, openSchema } from './cases.ts';
import { findTests } from './find-tests.ts';
import { judge } from './judge.ts';
import { readShared } from './read-shared.ts';
import { renderAcceptance } from './render.ts';

/**
 * Judges every case and brings `docs/acceptance.md` up to date; where nothing may be written (CI), a page that is not
 * up to date is a problem.
 */
export async function checkAcceptance(root: string, paths: readonly string[], mayWrite: boolean): Promise<CheckReport> {
  const docs = join(root, 'docs');
  const cases = casesSchema.parse(await readJson(join(docs, 'acceptance-cases.json')));
  const open = openSchema.parse(await readJson(join(docs, 'acceptance-open.json')));
  const files = paths.filter((path) => path.endsWith('.test.ts'));
  const tests = await Promise.all(files.map(async (path) => findTests(path, await readFile(join(root, path), 'utf8'))));
  const judgement = judge(cases, tests.flat(), open);
  const problems = [...judgement.problems];

  // Where the lists this copy was made from lie beside the checkout, none of their cases may be missing here.
  const shared = await readShared(root);
  const known = new Set(cases.map(({ id }) => id));
  problems.push(...shared.filter(({ id }) => !known.has(id)).map(({ id }) => `acceptance-cases.json lacks ${id}`));

  const page = join(docs, 'acceptance.md');
  const text = renderAcceptance(judgement.cases);
  if ((await readFile(page, 'utf8').catch(() => '')) !== text) {
    if (mayWrite) await writeFile(page, text);
    else problems.push('docs/acceptance.md is not up to date: run "npm run check" and commit it');
  }
  const met = judgement.cases.filter((one) => one.files.length > 0 && one.open === undefined).length;
  return { counts: { cases: cases.length, 'of them met': met, tests: tests.flat().length }, problems };
}

async function readJson(file: string): Promise<unknown> {
  return JSON.parse(await readFile(file, 'utf8'));
}
