import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createRedactor } from './redactor.ts';
import { createStreamRedactor } from './stream-redactor.ts';

const secret = 'correct-horse-battery-staple';
const key = ['-----BEGIN PRIVATE KEY-----', 'MIIabc/def+ghi', 'jklMNO', '-----END PRIVATE KEY-----'].join('\n');

function inPieces(text: string, cuts: readonly number[]): string {
  const stream = createStreamRedactor(createRedactor('ledger', [secret]));
  const at = [0, ...cuts.map((cut) => cut % (text.length + 1)).toSorted((a, b) => a - b), text.length];
  return at.map((from, index) => stream.add(text.slice(from, at[index + 1]))).join('') + stream.end();
}

test('a secret is taken out wherever the stream is cut', () => {
  const part = fc.oneof(fc.constantFrom(secret, key, '\n', ' ', '😀'), fc.string({ maxLength: 20 }));
  fc.assert(
    fc.property(fc.array(part, { maxLength: 12 }), fc.array(fc.nat(), { maxLength: 8 }), (parts, cuts) => {
      const told = inPieces(['begin', ...parts, secret].join('\n'), cuts);
      expect(told).not.toContain(secret);
      expect(told).not.toContain('MIIabc');
      expect(told.startsWith('begin\n')).toBe(true);
      expect(told.isWellFormed()).toBe(true);
    }),
  );
});

test('a finished line is told at once, an unfinished one when it is finished', () => {
  const stream = createStreamRedactor(createRedactor('ledger'));
  expect(stream.add('one\ntw')).toBe('one\n');
  expect(stream.add('o\n')).toBe('two\n');
  expect(stream.add('three')).toBe('');
  expect(stream.end()).toBe('three');
});

test('a line without end is told in parts, in bounded memory, and still without the secret', () => {
  const stream = createStreamRedactor(createRedactor('ledger', [secret]));
  let told = '';
  let heldMost = 0;
  let given = 0;
  for (const piece of [
    ...Array.from({ length: 64 }, () => 'x'.repeat(8_000)),
    secret.slice(0, 9),
    secret.slice(9),
    'y',
  ]) {
    given += piece.length;
    told += stream.add(piece);
    heldMost = Math.max(heldMost, given - told.length);
  }
  told += stream.end();
  expect(heldMost).toBeLessThan(32_768);
  expect(told).toBe(`${'x'.repeat(64 * 8_000)}[redacted:known-secret]y`);
});
