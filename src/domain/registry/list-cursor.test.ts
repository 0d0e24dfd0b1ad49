import fc from 'fast-check';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { readCursor, writeCursor } from './list-cursor.ts';

const place = z.tuple([z.int(), z.string()]);

test('G8 a cursor is read as it was written, by its own list only', () => {
  fc.assert(
    fc.property(fc.maxSafeInteger(), fc.string({ unit: 'grapheme' }), (at, id) => {
      const cursor = writeCursor('versions', [at, id]);
      expect(cursor).toMatch(/^[A-Za-z0-9_-]+$/);
      expect(readCursor('versions', place, cursor)).toEqual([at, id]);
      expect(() => readCursor('packages', place, cursor)).toThrow('no cursor of a list of packages');
    }),
  );
});

test('G8 a cursor that was changed, or is none, is refused', () => {
  const cursor = writeCursor('versions', [7, 'ver_0']);
  fc.assert(
    fc.property(fc.nat(cursor.length - 1), fc.string({ unit: 'binary', maxLength: 2 }), (at, other) => {
      const changed = cursor.slice(0, at) + other + cursor.slice(at + 1);
      fc.pre(changed !== cursor);
      let read: unknown = null;
      try {
        read = readCursor('versions', place, changed);
      } catch (error) {
        expect(error).toMatchObject({ code: 'invalid_argument' });
        return;
      }
      // Another place of the same list is a cursor; the place it stood for is written in one way only.
      expect(read).not.toEqual([7, 'ver_0']);
    }),
    { numRuns: 1000 },
  );
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(() => readCursor('versions', place, text)).toThrow('no cursor');
    }),
  );
});
