import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { allRows } from './connection.ts';

test('a number beyond 2^53 - 1 is a damaged store, and the column is named; another statement still reads', () => {
  const database = new DatabaseSync(':memory:');
  database.exec("CREATE TABLE thing (name TEXT, size INTEGER) STRICT; INSERT INTO thing VALUES ('a', 1), ('b', 2)");
  const select = database.prepare('SELECT name AS called, size AS bytes FROM thing WHERE name <= ? ORDER BY name');
  expect(allRows(select, ['b'])).toHaveLength(2);
  for (const number of ['9223372036854775807', '9007199254740992', '-9007199254740992']) {
    database.exec(`UPDATE thing SET size = ${number} WHERE name = 'b'`);
    const details = { problem: 'number_too_large', engine: 'sqlite', table: 'thing', column: 'size' };
    expect(() => allRows(select, ['b']), number).toThrow(
      expect.objectContaining({ code: 'store_corrupt', message: expect.stringContaining('thing.size'), details }),
    );
  }
  expect(allRows(select, ['a'])).toEqual([expect.objectContaining({ called: 'a', bytes: 1 })]);
  const returning = database.prepare("INSERT INTO thing VALUES ('c', 9223372036854775807) RETURNING size");
  expect(() => allRows(returning, [])).toThrow(expect.objectContaining({ code: 'store_corrupt' }));
  database.exec("DELETE FROM thing WHERE size > 9007199254740991 AND name = 'c'");
  database.close();
});
