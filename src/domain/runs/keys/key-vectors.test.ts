import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import canonicalize from 'canonicalize';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { stepReference } from '../../../contract/evidence.ts';
import { canonicalJson } from '../../../platform/canonical-json/canonical-json.ts';
import { idempotencyKey } from './step-key.ts';

// The vectors are frozen: a key that comes out differently would make every agent forget what it did.
const page = readFileSync(new URL('../../../../docs/idempotency.md', import.meta.url), 'utf8');
const vectors = z
  .array(
    z.strictObject({
      name: z.string(),
      root: z.string().optional(),
      of: z.strictObject({
        action: z.string(),
        task: z.string().nullable(),
        snapshot: z.string().nullable(),
        inputs: z.json(),
        expectedOutputs: z.array(z.string()),
        path: stepReference,
      }),
      canonical: z.string(),
      key: z.string(),
    }),
  )
  .min(10)
  .parse(JSON.parse(/^```json\n([\s\S]*?)^```$/m.exec(page)?.[1] ?? ''));

test.each(vectors)('R1 R2 the vector of docs/idempotency.md: $name', ({ root = '', of, canonical, key }) => {
  const { snapshot, path, ...work } = of;
  const scope = root === '' ? path.scope : path.scope.slice(1);
  expect(idempotencyKey({ ...work, step: { ...path, scope } }, { snapshot, root })).toBe(key);
  expect(canonicalJson(of)).toBe(canonical);
  // Said again without any code of ours.
  expect(canonicalize(of)).toBe(canonical);
  expect(`ik:${createHash('sha256').update(canonical).digest('hex')}`).toBe(key);
});

test('R1 R3 only the order of keys leaves a key as it is', () => {
  const distinct = new Set(vectors.map(({ canonical }) => canonical));
  expect(new Set(vectors.map(({ key }) => key)).size).toBe(distinct.size);
  expect(distinct.size).toBe(vectors.length - 1);
});
