import canonicalize from 'canonicalize';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonicalJson } from './canonical-json.ts';

describe('R2 canonical form is RFC 8785', () => {
  test('the sample of its section 3.2.4', () => {
    const value = {
      numbers: [Number('333333333.33333329'), 1e30, 4.5, 2e-3, 0.000000000000000000000000001],
      string: '\u20ac$\u000F\u000aA\'\u0042\u0022\u005c\\"/',
      literals: [null, true, false],
    };
    expect(canonicalJson(value)).toBe(
      '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
    );
  });

  test('keys go by UTF-16 code unit: the order of its section 3.2.3', () => {
    const keys = ['\u20ac', '\r', '\ufb33', '1', '\u{1f600}', '\u0080', '\u00f6'];
    const sorted = ['\r', '1', '\u0080', '\u00f6', '\u20ac', '\u{1f600}', '\ufb33'];
    const value = Object.fromEntries(keys.map((key, index) => [key, index]));
    expect(canonicalJson(value)).toBe(
      `{${sorted.map((key) => `${JSON.stringify(key)}:${keys.indexOf(key)}`).join(',')}}`,
    );
  });

  // From its appendix B: the bits of a double, and its text.
  test.each([
    ['0000000000000000', '0'],
    ['8000000000000000', '0'],
    ['0000000000000001', '5e-324'],
    ['8000000000000001', '-5e-324'],
    ['7fefffffffffffff', '1.7976931348623157e+308'],
    ['44b52d02c7e14af6', '1e+23'],
    ['44b52d02c7e14af7', '1.0000000000000001e+23'],
    ['444b1ae4d6e2ef50', '1e+21'],
    ['3eb0c6f7a0b5ed8d', '0.000001'],
    ['3eb0c6f7a0b5ed8c', '9.999999999999997e-7'],
    ['41b3de4355555553', '333333333.3333332'],
    ['becbf647612f3696', '-0.0000033333333333333333'],
  ])('the number with the bits %s is %s', (bits, text) => {
    expect(canonicalJson(Buffer.from(bits, 'hex').readDoubleBE())).toBe(text);
  });

  test('nothing is escaped for HTML', () => {
    expect(canonicalJson({ '<a href="/">&</a>': '\u2028\u2029</script>' })).toBe(
      '{"<a href=\\"/\\">&</a>":"\u2028\u2029</script>"}',
    );
  });

  test('it agrees with an implementation that is not ours, and reads back as the same value', () => {
    const representable = fc
      .jsonValue({ maxDepth: 4, stringUnit: 'grapheme' })
      .filter((value) => !JSON.stringify(value).match(/\d{16}/));
    fc.assert(
      fc.property(representable, (value) => {
        const text = canonicalJson(value);
        expect(text).toBe(canonicalize(value));
        expect(canonicalJson(JSON.parse(text))).toBe(text);
      }),
      { numRuns: 500 },
    );
  });

  test('the order in which keys were set does not matter', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.tuple(fc.string(), fc.integer()), { selector: ([key]) => key }), (entries) => {
        expect(canonicalJson(Object.fromEntries(entries.toReversed()))).toBe(
          canonicalJson(Object.fromEntries(entries)),
        );
      }),
    );
  });
});

describe('R2 what canonical JSON cannot represent is refused with the path to it', () => {
  const cycle: { again?: unknown } = {};
  cycle.again = cycle;
  test.each([
    ['NaN', { a: [1, Number.NaN] }, '/a/1'],
    ['Infinity', [Number.POSITIVE_INFINITY], '/0'],
    ['undefined in an object', { a: { b: undefined } }, '/a/b'],
    ['undefined in a list', [undefined], '/0'],
    ['a lone surrogate', { a: 'x\ud800' }, '/a'],
    ['a lone surrogate in a key', { 'x\udc00': 1 }, '/x\udc00'],
    ['an integer beyond 2^53', { a: 2 ** 53 }, '/a'],
    ['the same below zero', { a: -(2 ** 53) }, '/a'],
    ['a bigint', { a: 1n }, '/a'],
    ['a function', { a: () => 1 }, '/a'],
    ['a symbol', [Symbol('x')], '/0'],
    ['a Date', { 'a/b~c': new Date(0) }, '/a~1b~0c'],
    ['a Map', new Map(), ''],
  ])('%s', (_what, value, path) => {
    expect(() => canonicalJson(value)).toThrow(expect.objectContaining({ code: 'not_canonical', details: { path } }));
  });

  test('a cycle, and a value nested without end, is refused and does not overflow the stack', () => {
    expect(() => canonicalJson(cycle)).toThrow(expect.objectContaining({ code: 'not_canonical' }));
    const deep = JSON.parse('['.repeat(100_000) + ']'.repeat(100_000));
    expect(() => canonicalJson(deep)).toThrow(expect.objectContaining({ code: 'not_canonical' }));
  });
});
