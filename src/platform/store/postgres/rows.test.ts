import { expect, test } from 'vitest';
import { multiRowInsert } from './rows.ts';

test('rows of one insert become one statement with numbered places', () => {
  expect(
    multiRowInsert('INSERT INTO t (a, b) VALUES ($1, coalesce($2, 0)) ON CONFLICT DO NOTHING', [
      ['x', 1],
      ['y', 2],
    ]),
  ).toEqual([
    {
      text: 'INSERT INTO t (a, b) VALUES ($1, coalesce($2, 0)),($3, coalesce($4, 0)) ON CONFLICT DO NOTHING',
      values: ['x', 1, 'y', 2],
    },
  ]);
});

test('a statement never has more than 65,535 parameters, and no row is lost or torn', () => {
  const rows = Array.from({ length: 50_000 }, (_, n) => [n, n]);
  const statements = multiRowInsert('INSERT INTO t VALUES ($1, $2)', rows) ?? [];
  expect(statements.map(({ values }) => values.length)).toEqual([65_534, 34_466]);
  expect(statements.flatMap(({ values }) => values)).toEqual(rows.flat());
});

test('what is not a plain insert of values is left alone', () => {
  for (const sql of [
    'UPDATE t SET a = $1 WHERE b = $2',
    'INSERT INTO t SELECT $1, $2',
    "INSERT INTO t VALUES ($1, 'a)')",
    'INSERT INTO t VALUES ($1) ON CONFLICT DO UPDATE SET a = $2',
  ]) {
    expect(multiRowInsert(sql, [[1, 2]])).toBeUndefined();
  }
});
