import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { digestOf } from '../../../platform/digests/digest.ts';
import type { SnapshotEntry } from '../ports.ts';
import { differences, snapshotDigest } from './differences.ts';

const kinds = ['file', 'executable', 'symlink'] as const;
const entry = fc.record({
  path: fc.constantFrom('a', 'a/b', 'b', 'b%FF', 'é', 'x\ny'),
  raw: fc.boolean(),
  kind: fc.constantFrom(...kinds),
  text: fc.constantFrom('', '1', '2'),
});
const tree = fc.uniqueArray(entry, { selector: ({ path, raw }) => `${path} ${raw}`, maxLength: 8 }).map((entries) =>
  entries.map(
    ({ path, raw, kind, text }): SnapshotEntry => ({
      path,
      kind,
      size: text.length,
      digest: digestOf(text),
      ...(raw ? { raw: true } : {}),
    }),
  ),
);

test('R4 R23 two trees have the same digest exactly when there is no difference, in whatever order they are listed', () => {
  fc.assert(
    fc.property(tree, tree, (before, after) => {
      const found = differences(before, after);
      expect(snapshotDigest('git', before) === snapshotDigest('git', after)).toBe(found.length === 0);
      expect(snapshotDigest('walk', before)).not.toBe(snapshotDigest('git', before));
      expect(snapshotDigest('git', before.toReversed())).toBe(snapshotDigest('git', before));
      expect(differences(before, before.toReversed())).toEqual([]);
    }),
    { numRuns: 500 },
  );
});

test('R23 the other way round, added and removed change places', () => {
  const swapped = { added: 'removed', removed: 'added', changed: 'changed' } as const;
  fc.assert(
    fc.property(tree, tree, (before, after) => {
      expect(differences(after, before)).toEqual(
        differences(before, after).map(({ path, change }) => ({ path, change: swapped[change] })),
      );
    }),
  );
  const file = (path: string, text: string): SnapshotEntry => ({
    path,
    kind: 'file',
    size: text.length,
    digest: digestOf(text),
  });
  expect(
    differences([file('a', '1'), file('b', '1'), file('c', '1')], [file('b', '2'), file('c', '1'), file('d', '1')]),
  ).toEqual([
    { path: 'a', change: 'removed' },
    { path: 'b', change: 'changed' },
    { path: 'd', change: 'added' },
  ]);
});

test('R4 a path no file can have is refused', () => {
  for (const path of ['a\0b', '\ud800']) {
    const entries: SnapshotEntry[] = [{ path, kind: 'file', size: 0, digest: digestOf('') }];
    expect(() => snapshotDigest('git', entries)).toThrow(expect.objectContaining({ code: 'not_canonical' }));
  }
});
