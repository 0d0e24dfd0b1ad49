import { posix } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { WaybillError } from './errors.ts';
import { type IdKind, idShapes, isId, parseId } from './ids.ts';

const hex = (digits: number) => 'a1'.repeat(digits / 2);
const good: Readonly<Record<IdKind, readonly string[]>> = {
  run: ['run-20261122-210500-0a1b2c3d'],
  task: ['T-0042', '0', '..a', 'a'.repeat(128)],
  event: ['run-20261122-210500-0a1b2c3d-1', 'run-20261122-210500-0a1b2c3d-1234567890123456'],
  envelope: [`err_${hex(32)}`],
  incident: [`inc_${hex(16)}`],
  decision: [`dec_${hex(32)}`],
  gateRun: [`gr_${hex(32)}`],
  digest: [`sha256:${hex(64)}`],
  idempotencyKey: [`ik:${hex(64)}`],
  snapshot: [`snap-${hex(12)}`],
  package: [`pkg_${hex(16)}`],
  version: [`ver_${hex(16)}`],
  upload: [`upl_${hex(32)}`],
  webhook: [`wh_${hex(16)}`],
  policyRule: [`rule_${hex(16)}`],
  repo: ['a', 'local', 'team-1', 'a'.repeat(64)],
  name: ['builder', 'a', `a${'.'.repeat(127)}`],
  traceId: [hex(32)],
  spanId: [hex(16)],
};
const bad: Readonly<Record<IdKind, readonly unknown[]>> = {
  run: ['', 'run-1', 'run-20261122-210500-0A1B2C3D', 'run-20261122-210500-0a1b2c3', null, 1],
  task: ['', '.', '..', 'a/b', 'a\\b', 'ä', 'a b', 'a'.repeat(129)],
  event: ['run-20261122-210500-0a1b2c3d', 'run-20261122-210500-0a1b2c3d-0', 'run-20261122-210500-0a1b2c3d-01'],
  envelope: [`err_${hex(30)}`, hex(32)],
  incident: [`inc_${hex(32)}`],
  decision: [`dec_${hex(16)}`],
  gateRun: [`dec_${hex(32)}`],
  digest: [hex(64), `sha256:${hex(12)}`, `sha512:${hex(64)}`, `sha256:${hex(64).toUpperCase()}`],
  idempotencyKey: [`ik:${hex(62)}`, `ik:${hex(66)}`],
  snapshot: [`snap-${hex(64)}`],
  package: [`pkg_${hex(32)}`, hex(16)],
  version: [`ver_${hex(14)}`, '1.0.0'],
  upload: [`upl_${hex(16)}`],
  webhook: [`wh_${hex(32)}`],
  policyRule: [`rule_${hex(32)}`, hex(16)],
  repo: ['', '-', 'a-', '-a', 'A', 'a.b', 'a/b', 'a'.repeat(65)],
  name: ['', '1a', '-a', '.a', 'a/b', `a${'.'.repeat(128)}`],
  traceId: ['0'.repeat(32), hex(16)],
  spanId: ['0'.repeat(16), hex(32)],
};

const kinds = Object.keys(idShapes).filter((kind): kind is IdKind => kind in good);

test.each(kinds)('ids of the kind %s are told from what only looks like one', (kind) => {
  for (const text of good[kind]) expect(parseId(kind, text)).toBe(text);
  for (const text of [...bad[kind], ...good[kind].flatMap((id) => [`${id}\n`, ` ${id}`, `${id}\0`])]) {
    expect(isId(kind, text)).toBe(false);
  }
});

test('R29 an id from outside that is none is refused, with its shape and without all of a long text', () => {
  const refusal = (text: unknown) => {
    try {
      return parseId('task', text);
    } catch (error) {
      return error;
    }
  };
  const error = refusal('../'.repeat(1_000));
  expect(error).toBeInstanceOf(WaybillError);
  expect(error).toMatchObject({ code: 'invalid_id', hint: expect.stringContaining(idShapes.task.source) });
  expect(String(error).length).toBeLessThan(300);
  expect(refusal(undefined)).toMatchObject({ code: 'invalid_id' });
});

test('R29 no id leads out of the folder it is put in', () => {
  const text = fc.oneof(fc.string(), fc.stringMatching(/^[./\\A-Za-z0-9_-]{1,12}$/));
  fc.assert(
    fc.property(text, fc.constantFrom(...kinds), (id, kind) => {
      if (!isId(kind, id)) return;
      expect(posix.dirname(posix.join('/data', id))).toBe('/data');
      expect(id).not.toContain('\\');
    }),
    { numRuns: 2_000 },
  );
});
