import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LineReader, LineTooLong } from './line-reader.ts';

function linesOf(reader: LineReader, chunks: readonly Uint8Array[]): string[] {
  const lines: string[] = [];
  for (const chunk of chunks) for (const line of reader.push(chunk)) lines.push(Buffer.from(line).toString('utf8'));
  return lines;
}

describe('R25 the line reader', () => {
  test('R25 finds the same lines however the bytes arrive', () => {
    const line = fc.string({ unit: 'grapheme', maxLength: 20 }).map((text) => text.replaceAll('\n', ' '));
    fc.assert(
      fc.property(fc.array(line), line, fc.infiniteStream(fc.integer({ min: 1, max: 9 })), (lines, torn, sizes) => {
        const bytes = Buffer.from(lines.map((text) => `${text}\n`).join('') + torn);
        const chunks: Uint8Array[] = [];
        for (let at = 0; at < bytes.length; ) {
          const size = sizes.next().value ?? 1;
          chunks.push(bytes.subarray(at, at + size));
          at += size;
        }
        const reader = new LineReader(1000);
        expect(linesOf(reader, chunks)).toEqual(lines);
        expect(Buffer.from(reader.rest()).toString('utf8')).toBe(torn);
      }),
    );
  });

  test('R25 lets a line of exactly the limit pass and refuses one byte more, in one piece or in many', () => {
    for (const piece of [1, 7, 64, 1000]) {
      const chunksOf = (length: number) => {
        const bytes = Buffer.from(`${'x'.repeat(length)}\n`);
        return Array.from({ length: Math.ceil(bytes.length / piece) }, (_, n) =>
          bytes.subarray(n * piece, (n + 1) * piece),
        );
      };
      expect(linesOf(new LineReader(64), chunksOf(64))).toEqual(['x'.repeat(64)]);
      expect(() => linesOf(new LineReader(64), chunksOf(65))).toThrow(LineTooLong);
    }
  });

  test('R25 gives the lines before the one that is too long, and nothing after it', () => {
    const reader = new LineReader(4);
    const seen: string[] = [];
    expect(() => {
      for (const line of reader.push(Buffer.from('a\nbb\nccccc\ndd\n'))) seen.push(Buffer.from(line).toString());
    }).toThrow(LineTooLong);
    expect(seen).toEqual(['a', 'bb']);
    expect(() => linesOf(reader, [Buffer.from('dd\n')])).toThrow(LineTooLong);
  });

  test('R26 1 GiB without a newline costs no more than the limit', () => {
    const reader = new LineReader(262_144);
    const chunk = Buffer.alloc(65_536, 'x');
    const before = process.memoryUsage().rss;
    let refused = 0;
    for (let sent = 0; sent < 2 ** 30; sent += chunk.length) {
      try {
        linesOf(reader, [chunk]);
      } catch (error) {
        expect(error).toBeInstanceOf(LineTooLong);
        refused += 1;
      }
    }
    expect(refused).toBe(2 ** 30 / chunk.length - 4);
    expect((process.memoryUsage().rss - before) / 2 ** 20).toBeLessThan(64);
  });
});
