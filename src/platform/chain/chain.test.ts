import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Digest } from '../../contract/ids.ts';
import { digestOf } from '../digests/digest.ts';
import { chainDigest, chainStart } from './chain.ts';

const sha256 = (text: string) => `sha256:${createHash('sha256').update(text).digest('hex')}`;

test('R7 a link is SHA-256 over its tag, the digest before it and its bytes, each on its own line', () => {
  expect(chainStart).toBe('sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
  const first = chainDigest('waybill.event.v1', chainStart, '{"seq":1}');
  expect(first).toBe(sha256(`waybill.event.v1\n${chainStart}\n{"seq":1}`));
  expect(chainDigest('waybill.event.v1', first, '{"seq":2}')).toBe(sha256(`waybill.event.v1\n${first}\n{"seq":2}`));
});

test('R7 a change of any link changes the last one, and so does an exchange of two', () => {
  const last = (links: readonly string[], tag = 'a') =>
    links.reduce<Digest>((digest, link) => chainDigest(tag, digest, link), chainStart);
  const links = fc.array(fc.string({ maxLength: 8 }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(links, links, (one, other) => {
      const same = one.length === other.length && one.every((link, index) => link === other[index]);
      expect(last(one) === last(other)).toBe(same);
    }),
  );
  expect(last(['x'], 'ledger')).not.toBe(last(['x'], 'audit'));
});

test('no two links share their bytes, whatever the canonical bytes hold', () => {
  const tag = fc.stringMatching(/^[a-z.]{1,4}$/);
  const previous = fc.constantFrom(chainStart, digestOf('x'));
  const bytes = fc.stringMatching(/^[a\n]{0,4}$/).chain((text) => fc.constantFrom(text, `${chainStart}\n${text}`));
  const link = fc.tuple(tag, previous, bytes);
  fc.assert(
    fc.property(link, link, (one, other) => {
      expect(chainDigest(...one) === chainDigest(...other)).toBe(JSON.stringify(one) === JSON.stringify(other));
    }),
  );
});
