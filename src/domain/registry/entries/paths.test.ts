import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { foldPath } from './fold-path.ts';
import { foldersOf, pathConflicts } from './path-conflicts.ts';
import { pathProblems } from './path-problems.ts';

const anyText = fc.oneof(fc.string({ unit: 'binary', maxLength: 40 }), fc.string({ unit: 'grapheme', maxLength: 40 }));
const nasty = fc
  .array(
    fc.constantFrom('a', 'A', '.', '..', '/', '\\', '\0', '\n', 'é', 'e\u0301', 'ß', 'SS', '\ud800', '\u202e', ' '),
    {
      maxLength: 12,
    },
  )
  .map((parts) => parts.join(''));

describe('the path of an entry', () => {
  test('G6 a good path is taken', () => {
    const good = [
      'a',
      'bin/tool',
      'a b/c',
      '.github/x',
      '...',
      'a..b',
      'ü/ß',
      '日本/語',
      '👩‍👩‍👧/x',
      `${'s'.repeat(255)}/t`,
    ];
    for (const path of good) expect(pathProblems(path), path).toEqual([]);
    expect(good.length).toBe(10);
  });

  test.each([
    ['', 'must not be empty'],
    ['/a', 'must be relative'],
    ['/', 'must be relative'],
    ['C:/a', 'must not begin with a drive'],
    ['a/', 'must not end with a slash'],
    ['a//b', 'must not have an empty segment'],
    ['../a', 'must not have a segment ".."'],
    ['a/../b', 'must not have a segment ".."'],
    ['a/..', 'must not have a segment ".."'],
    ['./a', 'must not have a segment "."'],
    ['.', 'must not have a segment "."'],
    ['a\\b', 'must not have a backslash'],
    ['a\0b', 'must not have control characters'],
    ['a\nb', 'must not have control characters'],
    ['a\u0085b', 'must not have control characters'],
    ['a\u202eb', 'must not have control characters'],
    ['e\u0301', 'must be in the Unicode form NFC'],
    ['a\ud800', 'must be well-formed Unicode'],
    ['a'.repeat(256), 'must have at most 255 bytes a segment'],
    ['é'.repeat(128), 'must have at most 255 bytes a segment'],
    [`${'abcdefg/'.repeat(128)}h`, 'must have at most 1024 bytes'],
  ])('G6 %j %s', (path, message) => {
    expect(pathProblems(path)).toEqual([message]);
  });

  test('G6 all that is wrong is said, not only the first', () => {
    expect(pathProblems('/../a\\b//e\u0301\n/')).toEqual([
      'must be in the Unicode form NFC',
      'must not have a backslash',
      'must not have control characters',
      'must be relative',
      'must not end with a slash',
      'must not have a segment ".."',
      'must not have an empty segment',
    ]);
  });

  test('G6 what is taken names one place below the folder, whatever it is', () => {
    let taken = 0;
    fc.assert(
      fc.property(fc.oneof(anyText, nasty), (path) => {
        if (pathProblems(path).length > 0) return;
        taken++;
        expect(path.split('/').every((segment) => !['', '.', '..'].includes(segment))).toBe(true);
        expect(path).toBe(path.normalize('NFC'));
        expect(Buffer.from(path).toString('utf8')).toBe(path);
        // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
        expect(path).not.toMatch(/[\0-\x1f\x7f\\]/);
        expect(new URL(`http://x/root/${path.split('/').map(encodeURIComponent).join('/')}`).pathname).toMatch(
          /^\/root\/./,
        );
      }),
      { numRuns: 3_000 },
    );
    expect(taken).toBeGreaterThan(100);
  });
});

describe('folding', () => {
  test('G6 every pair of characters that Unicode folds together is one', () => {
    let pairs = 0;
    for (let code = 0; code <= 0x10ffff; code++) {
      if (code >= 0xd800 && code <= 0xdfff) continue;
      const one = String.fromCodePoint(code);
      for (const other of [one.toLowerCase(), one.toUpperCase()]) {
        if (other === one || [...other].length !== 1) continue;
        // With these two flags the engine compares by the simple case folding of Unicode.
        if (!new RegExp(`^\\u{${code.toString(16)}}$`, 'iu').test(other)) continue;
        pairs++;
        expect(foldPath(one), `${one} ${other}`).toBe(foldPath(other));
      }
    }
    expect(pairs).toBeGreaterThan(2_000);
  });

  test.each([
    ['Straße', 'STRASSE'],
    ['Straße', 'straẞe'],
    ['ﬁle', 'FILE'],
    ['Σίσυφος', 'ΣΊΣΥΦΟΣ'],
    ['é', 'E\u0301'],
    ['\u212b', 'å'],
    ['ŉ', 'ʼN'],
    ['ᾳ', 'ΑΙ'],
  ])('G6 %s and %s are twins', (one, other) => {
    expect(foldPath(one)).toBe(foldPath(other));
  });

  test.each([
    ['ı', 'i'],
    ['é', 'e'],
    ['a', 'а'],
    ['a/b', 'a_b'],
  ])('G6 %s and %s are not', (one, other) => {
    expect(foldPath(one)).not.toBe(foldPath(other));
  });

  test('G6 folding again changes nothing, and form and case of what is folded do not matter', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const folded = foldPath(text);
        expect(foldPath(folded)).toBe(folded);
        expect(foldPath(text.normalize('NFD'))).toBe(folded);
        expect(foldPath(text.normalize('NFC'))).toBe(folded);
        expect(foldPath(text.toLowerCase().normalize('NFC'))).toBe(folded);
        if (!text.includes('ı')) expect(foldPath(text.toUpperCase())).toBe(folded);
      }),
      { numRuns: 3_000 },
    );
  });
});

describe('paths of one version', () => {
  test('G6 twins, and files that are folders of others, are found by either name', () => {
    expect(pathConflicts(['a/b', 'A/B', 'x', 'X/y', 'z', 'zz/z'])).toEqual([
      { path: 'A/B', other: 'a/b', kind: 'case' },
      { path: 'X/y', other: 'x', kind: 'folder' },
    ]);
    expect(pathConflicts(['a', 'a/b', 'a/b/c'])).toEqual([
      { path: 'a/b', other: 'a', kind: 'folder' },
      { path: 'a/b/c', other: 'a/b', kind: 'folder' },
    ]);
    // What sorts between a folder and what is in it: "-" and "." come before the slash.
    expect(pathConflicts(['a/b', 'a-b', 'a', 'a.b', 'a-b/c'])).toEqual([
      { path: 'a/b', other: 'a', kind: 'folder' },
      { path: 'a-b/c', other: 'a-b', kind: 'folder' },
    ]);
  });

  test('G6 the deepest paths a request can have, each a file in the one before it, are told one by one', () => {
    const chain = Array.from({ length: 500 }, (_, depth) =>
      Array(depth + 1)
        .fill('a')
        .join('/'),
    );
    const leaves = Array.from({ length: 9_500 }, (_, index) => `${'a/'.repeat(500)}${index}`);
    const begun = performance.now();
    expect(pathConflicts([...chain, ...leaves])).toHaveLength(9_999);
    expect(performance.now() - begun).toBeLessThan(5_000);
  });

  test('G6 the same as comparing each with each', () => {
    const segment = fc.constantFrom('a', 'A', 'b', 'ß', 'SS', 'ss');
    const path = fc.array(segment, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));
    fc.assert(
      fc.property(fc.uniqueArray(path, { maxLength: 8 }), (paths) => {
        const bad = paths.some((one, index) =>
          paths.some(
            (other, at) =>
              at !== index && (foldPath(one) === foldPath(other) || foldersOf(foldPath(one)).includes(foldPath(other))),
          ),
        );
        expect(pathConflicts(paths).length > 0).toBe(bad);
      }),
    );
  });
});
