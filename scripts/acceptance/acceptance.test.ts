import { describe, expect, test } from 'vitest';
import { casesIn } from './cases.ts';
import { findTests, idsOf } from './find-tests.ts';
import { judge } from './judge.ts';
import { renderAcceptance } from './render.ts';

const cases = [
  { id: 'R1', area: 'runs', words: 'The same command has the same key' },
  { id: 'R2', area: 'runs', words: 'Canonical form is RFC 8785' },
];

test('cases are read with their area and their first words', () => {
  const list =
    '# Runs\n- R1 The same command has the same IK; more.\n  Even more.\n- R35 A snapshot never holds `.git`. More.\n- not a case\n';
  expect(casesIn(list, 'runs')).toEqual([
    { id: 'R1', area: 'runs', words: 'The same command has the same IK' },
    { id: 'R35', area: 'runs', words: 'A snapshot never holds `.git`' },
  ]);
});

test.each([
  ['R26 an agent that never says hello', ['R26']],
  ['R7 R8 one flipped byte', ['R7', 'R8']],
  ['R19, R20: a crash', ['R19', 'R20']],
  ['RFC 8785 numbers', []],
  ['sees R1', []],
  ['R1x is no id', []],
])('ids at the start of the name %j', (name, ids) => {
  expect(idsOf(name)).toEqual(ids);
});

test('names are found in every form a test is written in, and skipped tests are not', () => {
  const source = `
    test('R1 plain', () => {});
    it.concurrent("R2 double", () => {});
    describe.each(list)('R3 %s', () => { test(\`R4 \${x} template\`, f); });
    test.each\`a\${1}\`('R5 tagged', f);
    test.skip('R6 skipped', f);
    test.todo('R7 planned');
    other('R8 no test');
    // test('R9 in a comment', f);`;
  const names = findTests('x.test.ts', source).map(({ name }) => name);
  expect(names.sort()).toEqual(['R1 plain', 'R2 double', 'R3 %s', 'R4 %s template', 'R5 tagged']);
});

describe('a case needs a test or a reason, not both', () => {
  const tests = [{ file: 'src/a.test.ts', name: 'R1 same key' }];

  test('one with each is in order', () => {
    expect(judge(cases, tests, { R2: 'later' }).problems).toEqual([]);
  });
  test('neither', () => {
    expect(judge(cases, tests, {}).problems).toEqual([expect.stringContaining('R2 has neither')]);
  });
  test('both', () => {
    expect(judge(cases, tests, { R1: 'later', R2: 'later' }).problems).toEqual([
      expect.stringContaining('R1 is called open, but src/a.test.ts names it'),
    ]);
  });
  test('a test or a reason without a case', () => {
    const stray = [...tests, { file: 'src/b.test.ts', name: 'R99 lost' }];
    expect(judge(cases, stray, { R2: 'later', R98: 'later' }).problems).toEqual([
      expect.stringContaining('R99, which is no case'),
      expect.stringContaining('R98 is no case'),
    ]);
  });
});

test('the page says how many of how many, the command of each, and the reason of the open ones', () => {
  const judged = judge(cases, [{ file: 'src/a.test.ts', name: 'R1 same key' }], { R2: 'comes later' });
  const page = renderAcceptance(judged.cases);
  expect(page).toContain('1 of 2 cases are met.');
  expect(page).toContain("| R1 | The same command has the same key | met: `npm test -- -t 'R1\\b' src/a.test.ts` |");
  expect(page).toContain('| R2 | Canonical form is RFC 8785 | open: comes later |');
});
