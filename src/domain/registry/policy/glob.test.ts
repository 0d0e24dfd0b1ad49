import fc from 'fast-check';
import { expect, test } from 'vitest';
import { globMatches } from './glob.ts';

const pieces = fc.array(fc.constantFrom('a', 'b', '*', '?', '.', '/', '😀'), { maxLength: 10 });
const texts = fc.array(fc.constantFrom('a', 'b', '.', '/', '*', '😀'), { maxLength: 12 });

test('G22 a pattern matches exactly what the same regular expression does', () => {
  fc.assert(
    fc.property(pieces, texts, (pattern, characters) => {
      const source = pattern.map((piece) =>
        piece === '*' ? '[^]*' : piece === '?' ? '[^]' : piece.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&'),
      );
      const text = characters.join('');
      expect(globMatches(pattern.join(''), text)).toBe(new RegExp(`^(?:${source.join('')})$`, 'u').test(text));
    }),
    { numRuns: 3000 },
  );
});

test('G22 a pattern made to take long does not', () => {
  // A matcher that tries every way would need 2^100 steps.
  expect(globMatches('*a'.repeat(100), `${'a'.repeat(512)}b`)).toBe(false);
});
