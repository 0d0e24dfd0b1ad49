import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { digestOf } from '../../platform/digests/digest.ts';
import { OutputPreview, type PreviewedOutput, previewBytes } from './output-preview.ts';

function preview(bytes: Uint8Array, chunkSize: number): PreviewedOutput {
  const output = new OutputPreview();
  for (let at = 0; at < bytes.length; at += chunkSize) output.add(bytes.subarray(at, at + chunkSize));
  return output.finish(true);
}
const splitAt = /\n\[(\d+) bytes left out\]\n/;

describe('OutputPreview', () => {
  test('short output is kept whole, whatever the chunks', () => {
    for (const size of [0, 1, previewBytes, previewBytes + 1, 2 * previewBytes]) {
      const text = 'äbc€😀\n'.repeat(size).slice(0, size / 4);
      const seen = preview(Buffer.from(text), 7);
      expect(seen).toMatchObject({
        text,
        truncated: false,
        altered: false,
        complete: true,
        bytes: Buffer.byteLength(text),
      });
      expect(seen.digest).toBe(digestOf(text));
    }
    expect(preview(Buffer.alloc(2 * previewBytes, 'x'), 1000).text).toHaveLength(2 * previewBytes);
  });

  test('of long output both ends are kept, cut between characters, and digest and count are of all', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('a', 'ä', '€', '😀', 'x€', 'xy😀'),
        fc.integer({ min: 0, max: 5 }),
        fc.integer({ min: 1, max: 100_000 }),
        (unit, shift, chunkSize) => {
          const text = '.'.repeat(shift) + unit.repeat(Math.ceil((3 * previewBytes) / Buffer.byteLength(unit)));
          const bytes = Buffer.from(text);
          const seen = preview(bytes, chunkSize);
          const [head = '', omitted, tail = ''] = seen.text.split(splitAt);
          expect(seen).toMatchObject({ bytes: bytes.length, digest: digestOf(bytes), truncated: true, altered: false });
          expect(text.startsWith(head) && text.endsWith(tail)).toBe(true);
          expect(Buffer.byteLength(head) + Number(omitted) + Buffer.byteLength(tail)).toBe(bytes.length);
          expect(Math.min(Buffer.byteLength(head), Buffer.byteLength(tail))).toBeGreaterThan(previewBytes - 4_096 - 4);
        },
      ),
      { numRuns: 30 },
    );
  });

  test('a word is never cut in two: half a secret could not be recognized as one', () => {
    for (let at = previewBytes - 12; at <= previewBytes; at++) {
      const fill = 'some words '.repeat(previewBytes);
      const seen = preview(
        Buffer.from(`${fill.slice(0, at)} secret-word ${fill} secret-word ${fill.slice(0, at)}`),
        5000,
      );
      expect(seen.truncated).toBe(true);
      expect(seen.text.replaceAll('secret-word', '')).not.toMatch(/secret|-word/);
    }
  });

  test('any bytes give well-formed text without NUL, and it is marked when it differs', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.integer({ min: 1, max: 50 }), (bytes, chunkSize) => {
        const seen = preview(bytes, chunkSize);
        expect(seen.text.isWellFormed() && !seen.text.includes('\0')).toBe(true);
        expect(seen.altered).toBe(!Buffer.from(seen.text).equals(Buffer.from(bytes)));
      }),
    );
    expect(preview(Buffer.from('a\0b'), 9)).toMatchObject({ text: 'a\ufffdb', altered: true });
    expect(preview(Buffer.from([0x61, 0xff, 0x62]), 9)).toMatchObject({ text: 'a\ufffdb', altered: true });
    expect(preview(Buffer.from('a\ufffdb'), 9)).toMatchObject({ text: 'a\ufffdb', altered: false });
  });
});
