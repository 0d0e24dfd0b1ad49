import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createRedactor } from '../../platform/redaction/redactor.ts';
import { StderrTail } from './stderr-tail.ts';

const redactor = createRedactor('ledger', ['very-secret-value']);

describe('R26 the stderr of a process', () => {
  test('R26 comes out in the same lines however it arrives', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 60 }), fc.integer({ min: 1, max: 5 }), (text, size) => {
        const bytes = Buffer.from(text);
        const tail = new StderrTail();
        const lines: string[] = [];
        for (let at = 0; at < bytes.length; at += size) lines.push(...tail.push(bytes.subarray(at, at + size)));
        const rest = tail.rest();
        const expected = text.split('\n').map((line) => line.replace(/\r$/, ''));
        expect([...lines, rest].filter((line) => line !== '')).toEqual(expected.filter((line) => line !== ''));
      }),
    );
  });

  test('R26 a line without end is cut, and the next line is whole again', () => {
    const tail = new StderrTail();
    expect(tail.push(Buffer.from('x'.repeat(5000)))).toEqual([]);
    for (let n = 0; n < 100; n++) expect(tail.push(Buffer.from('x'.repeat(65_536)))).toEqual([]);
    expect(tail.push(Buffer.from('y\nnext\n'))).toEqual([`${'x'.repeat(8192)} (cut)`, 'next']);
  });

  test('R28 its tail holds whole last lines, without secrets', () => {
    const tail = new StderrTail();
    tail.push(Buffer.from('short\n'));
    expect(tail.tail(redactor)).toBe('short');
    for (let n = 0; n < 1000; n++) tail.push(Buffer.from(`line ${n} with very-secret-value\n`));
    const text = tail.tail(redactor);
    expect(text.length).toBeLessThanOrEqual(2048);
    expect(text).toMatch(/^line \d+ with \[redacted/);
    expect(text).toMatch(/line 999 with \[redacted[^\]]*\]$/);
    expect(text).not.toContain('very-secret');
  });
});
