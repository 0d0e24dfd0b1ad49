import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';

const root = dirname(import.meta.dirname);

test('every place that docs/names.md names is there', () => {
  const page = readFileSync(join(root, 'docs/names.md'), 'utf8');
  const rows = page.split('\n').filter((line) => line.startsWith('| '));
  expect(rows.length).toBeGreaterThan(120);
  // The last cell is the place; what it marks as later is not there yet.
  const places = rows.flatMap((row) => {
    const cell = row.split(' | ').at(-1) ?? '';
    return [...cell.matchAll(/`((?:src|scripts|schemas|fixtures)\/[\w./-]*)`/g)].map(([, place = '']) => place);
  });
  expect(places.length).toBeGreaterThan(80);
  expect(places.filter((place) => !existsSync(join(root, place)))).toEqual([]);
});
