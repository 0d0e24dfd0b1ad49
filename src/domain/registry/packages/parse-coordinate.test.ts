import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { WaybillError } from '../../../contract/errors.ts';
import { formatCoordinate, parseCoordinate } from './parse-coordinate.ts';

describe('G8 a coordinate as a person writes it', () => {
  test.each([
    ['tool', { type: null, name: 'tool', version: null }],
    ['tool@1.2.0', { type: null, name: 'tool', version: '1.2.0' }],
    ['tool@stable', { type: null, name: 'tool', version: 'stable' }],
    ['npm:tool@1.2.0', { type: 'npm', name: 'tool', version: '1.2.0' }],
    ['npm:@scope/tool', { type: 'npm', name: '@scope/tool', version: null }],
    ['@scope/tool@1.2.0-rc.1+b.5', { type: null, name: '@scope/tool', version: '1.2.0-rc.1+b.5' }],
    ['oci-image:team/app/web@1.0', { type: 'oci-image', name: 'team/app/web', version: '1.0' }],
  ])('%s', (text, parsed) => {
    expect(parseCoordinate(text)).toEqual(parsed);
  });

  test.each([
    '',
    '@',
    'tool@',
    '@1.0.0@',
    'a b',
    'a@b@c',
    ':tool',
    'NPM:tool',
    'versions:tool',
    'npm:',
    'npm:x:y',
    'tool@1/2',
    'tool@1:2',
    'tool\n@1',
    `tool@${'1'.repeat(600)}`,
  ])('%j is none', (text) => {
    expect(() => parseCoordinate(text)).toThrow(WaybillError);
  });

  test('what is written is read again, whatever type, name and version are', () => {
    const character = fc.constantFrom(...'abzAZ019._+-~äß漢😀%');
    const text = fc.array(character, { minLength: 1, maxLength: 20 }).map((characters) => characters.join(''));
    const type = fc.constantFrom('npm', 'generic', 'oci-image', 'waybill-run', 'a');
    const name = fc.oneof(
      text,
      fc.tuple(text, text).map(([scope, rest]) => `@${scope}/${rest}`),
      fc.tuple(text, text).map(([folder, rest]) => `${folder}/${rest}`),
    );
    fc.assert(
      fc.property(type, name, text, (ofType, ofName, version) => {
        const coordinate = { type: ofType, name: ofName, version };
        const written = formatCoordinate(coordinate);
        expect(parseCoordinate(written)).toEqual(coordinate);
        expect(parseCoordinate(`${ofName}@${version}`)).toEqual({ ...coordinate, type: null });
      }),
    );
  });

  test('any text is read as what it says, or refused with a code', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        try {
          const { type, name, version } = parseCoordinate(text);
          const again = `${type === null ? '' : `${type}:`}${name}${version === null ? '' : `@${version}`}`;
          expect(again).toBe(text);
        } catch (error) {
          expect(error).toMatchObject({ code: 'invalid_argument' });
        }
      }),
      { numRuns: 500 },
    );
  });
});
