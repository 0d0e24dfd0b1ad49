import fc from 'fast-check';
import { expect, test } from 'vitest';
import { jsonProblem } from './json-problem.ts';

test.each([
  ['{"a": x}', 'line 1, column 7: a value is missing, or is not JSON'],
  ['{"a": 1,}', 'line 1, column 9: a text in double quotes is missing, or has no end, or a wrong escape'],
  ['{\n  "a": 1\n  "b": 2\n}', 'line 3, column 3: a "," or "}" is missing'],
  ['{"a" 1}', 'line 1, column 6: a ":" is missing'],
  ['[1 2]', 'line 1, column 4: a "," or "]" is missing'],
  ['{} {}', 'line 1, column 4: something follows the end of the document'],
  ['', 'line 1, column 1: a value is missing, or is not JSON'],
  ['"a\nb"', 'line 1, column 3: a line break or control character inside a text: write it as \\n'],
  ['{"a": {"k": 1, "\\u006b": 2}}', 'line 1, column 16: the key "k" is there twice'],
  ['\ufeff{}', 'line 1, column 1: a value is missing, or is not JSON'],
  ['['.repeat(600), 'line 1, column 514: nested deeper than 512'],
])('%s', (text, problem) => {
  expect(jsonProblem(text)).toBe(problem);
});

test('what JSON.parse takes has no problem, whatever its white space', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom(undefined, 1, '\t'), (value, space) => {
      expect(jsonProblem(JSON.stringify(value, null, space))).toBeUndefined();
    }),
  );
});

test('what JSON.parse refuses has a problem', () => {
  const nearlyJson = fc.string({ unit: fc.constantFrom(...'{}[]",:\\ \n\t01-+.eEtrufalsn') });
  fc.assert(
    fc.property(nearlyJson, (text) => {
      let refused = false;
      try {
        JSON.parse(text);
      } catch {
        refused = true;
      }
      if (refused) expect(jsonProblem(text)).toMatch(/^line \d+, column \d+: /);
    }),
    { numRuns: 2000 },
  );
});
