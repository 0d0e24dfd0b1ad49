import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type IdKind, idShapes } from '../../contract/ids.ts';
import { digestOf } from '../digests/digest.ts';
import { makeId, makeRunId, makeSpanId, makeTraceId, randomHex } from './make-id.ts';
import { snapshotIdOf } from './snapshot-id.ts';

const second = 1_000_000;
/** 2026-11-22T21:05:00Z in microseconds. */
const evening = Date.UTC(2026, 10, 22, 21, 5) * 1000;

test('a run is named after its time in UTC', () => {
  expect(makeRunId(evening)).toMatch(/^run-20261122-210500-00000[0-9a-f]{3}$/);
  expect(makeRunId(evening + second / 2)).toMatch(/^run-20261122-210500-80000[0-9a-f]{3}$/);
  expect(makeRunId(evening + second - 1)).toMatch(/^run-20261122-210500-ffffe[0-9a-f]{3}$/);
});

test('names of runs sort as their times do, to the microsecond', () => {
  const moment = fc.integer({ min: 0, max: 100 * 365 * 86_400 }).map((seconds) => seconds * second);
  fc.assert(
    fc.property(
      moment,
      fc.integer({ min: 0, max: second - 1 }),
      fc.integer({ min: 1, max: 10 * second }),
      (at, part, later) => {
        expect(makeRunId(at + part) < makeRunId(at + part + later)).toBe(true);
      },
    ),
  );
});

test('every kind of id has the shape the contract promises', () => {
  const made: readonly (readonly [IdKind, string])[] = [
    ['run', makeRunId(evening)],
    ['envelope', makeId('envelope')],
    ['incident', makeId('incident')],
    ['decision', makeId('decision')],
    ['gateRun', makeId('gateRun')],
    ['traceId', makeTraceId()],
    ['spanId', makeSpanId()],
    ['snapshot', snapshotIdOf(digestOf('tree'))],
    ['digest', digestOf('bytes')],
  ];
  for (const [kind, id] of made) expect(id).toMatch(idShapes[kind]);
});

test('random digits do not repeat, also beyond the pool they are drawn from', () => {
  const drawn = Array.from({ length: 2_000 }, () => randomHex(8));
  expect(new Set(drawn).size).toBe(drawn.length);
  expect(drawn.every((hex) => /^[0-9a-f]{16}$/.test(hex))).toBe(true);
});
