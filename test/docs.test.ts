import { execFileSync } from 'node:child_process';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { pagesWithCommands } from '../scripts/docs/pages.ts';
import { runTour } from '../scripts/docs/tour.ts';
import { withoutChance } from '../scripts/docs/without-chance.ts';

const root = join(import.meta.dirname, '..');
const pages = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '*.md'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\0')
  .filter((page) => page !== '' && !page.startsWith('demo/project/') && existsSync(join(root, page)));
const read = (page: string) => readFileSync(join(root, page), 'utf8');

test.each(pages)('every link and every file that %s names is there', (page) => {
  const text = read(page);
  const links = [...text.matchAll(/\]\((?!https?:|#)([^)#\s]+)[^)]*\)/g)].map(([, link = '']) =>
    join(dirname(page), link),
  );
  // docs/names.md also names places that come later; scripts/names.test.ts judges its table.
  const places = page === 'docs/names.md' ? [] : [...text.matchAll(place)].map(([, path = '']) => path);
  const missing = [...links, ...places].filter((path) => globSync(path, { cwd: root }).length === 0);
  expect(missing).toEqual([]);
});

/** A path of this repository in backticks; `*` and `{a,b}` as a shell reads them. */
const place = /`((?:src|scripts|test|docs|demo|examples|schemas|fixtures|bench|bin)\/[\w./*{},-]*)`/g;

test('the pages are the ones a newcomer looks for, and name many places', () => {
  expect(pages).toEqual(expect.arrayContaining(['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'docs/resume.md']));
  expect(pages.flatMap((page) => [...read(page).matchAll(place)]).length).toBeGreaterThan(100);
});

test.each(pages)('every npm script that %s names exists', (page) => {
  const { scripts } = z.object({ scripts: z.record(z.string(), z.string()) }).parse(JSON.parse(read('package.json')));
  const named = [...read(page).matchAll(/\bnpm (?:run )?(test(?::\w+)?|(?<=run )[\w:]+)/g)].map(
    ([, name = '']) => name,
  );
  expect(named.filter((name) => scripts[name] === undefined)).toEqual([]);
});

test.each(pagesWithCommands)(
  'what %s says its commands print is what they print',
  { timeout: 240_000 },
  async (page) => {
    const written = read(page);
    const { page: now, commands } = await runTour(written);
    expect(commands).toBeGreaterThan(3);
    expect(now).not.toMatch(/^code: {2}(run_not_found|internal)\b/m);
    // Otherwise: node scripts/dev.mjs run scripts/docs.ts
    expect(withoutChance(now)).toBe(withoutChance(written));
  },
);
