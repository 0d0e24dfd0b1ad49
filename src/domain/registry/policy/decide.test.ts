import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../../../contract/json.ts';
import { digestOf } from '../../../platform/digests/digest.ts';
import { decide, type StandingRule } from './decide.ts';
import type { VersionFacts } from './rule-kind.ts';
import { ruleKinds } from './rule-kinds.ts';

const [one, two, whole] = [digestOf('one'), digestOf('two'), digestOf('whole')];
const clean: VersionFacts = {
  coordinate: { type: 'npm', name: '@team/tool', version: '1.0.0' },
  digest: whole,
  entries: [
    { path: 'a', digest: one, size: 10, mediaType: 'text/plain' },
    { path: 'b', digest: two, size: 20, mediaType: null },
  ],
  manifest: { digest: digestOf('{}'), mediaType: 'application/json' },
  attested: true,
  run: 'run-20261122-210500-0a1b2c3d',
  dirty: false,
};

const rule = (kind: string, parameters: JsonObject = {}): StandingRule => ({
  ruleId: 'rule_0123456789abcdef',
  kind,
  parameters,
  blocks: 'both',
  reason: 'because',
});

const cases: readonly (readonly [kind: string, parameters: JsonObject, facts: Partial<VersionFacts>, hit: boolean])[] =
  [
    ['name', { pattern: 'npm:@team/*' }, {}, true],
    ['name', { pattern: '*tool' }, {}, true],
    ['name', { pattern: 'npm:@team/to' }, {}, false],
    ['name', { pattern: 'generic:*' }, {}, false],
    ['digest', { digests: [two] }, {}, true],
    ['digest', { digests: [whole] }, {}, true],
    ['digest', { digests: [digestOf('{}')] }, {}, true],
    ['digest', { digests: [digestOf('other')] }, {}, false],
    ['size', { bytes: 19, of: 'entry' }, {}, true],
    ['size', { bytes: 20, of: 'entry' }, {}, false],
    ['size', { bytes: 29, of: 'version' }, {}, true],
    ['size', { bytes: 30, of: 'version' }, {}, false],
    ['unattested', {}, { attested: false }, true],
    ['unattested', {}, {}, false],
    ['no-run', {}, { run: null }, true],
    ['no-run', {}, {}, false],
    ['dirty', {}, { dirty: true }, true],
    ['dirty', {}, { dirty: null }, true],
    ['dirty', {}, {}, false],
    ['media-type', { patterns: ['text/*'] }, {}, true],
    ['media-type', { patterns: ['application/octet-stream'] }, {}, true],
    ['media-type', { patterns: ['application/json'] }, {}, true],
    ['media-type', { patterns: ['image/*'] }, {}, false],
    ['nothing-known', {}, {}, true],
    ['size', { bytes: 'many' }, {}, true],
    ['name', {}, {}, true],
  ];

describe('G22 a decision is made by rules over what a version is', () => {
  test.each(cases)('%s %j about %j: %s', (kind, parameters, facts, hit) => {
    const decision = decide([rule(kind, parameters)], { ...clean, ...facts });
    expect(decision.allowed).toBe(!hit);
    if (decision.allowed) return;
    expect(decision.hits).toEqual([
      { ruleId: 'rule_0123456789abcdef', kind, blocks: 'both', reason: 'because', why: expect.stringMatching(/\w{3}/) },
    ]);
  });

  test('every kind is driven by a case that hits and one that does not', () => {
    for (const kind of ruleKinds.keys()) {
      for (const hit of [true, false]) {
        expect(cases.some((each) => each[0] === kind && each[3] === hit)).toBe(true);
      }
    }
    expect(ruleKinds.size).toBe(7);
  });

  test('every rule that hits is named, and more rules never allow more', () => {
    const rules = fc.array(fc.constantFrom(...cases.map(([kind, parameters]) => rule(kind, parameters))));
    fc.assert(
      fc.property(rules, rules, (some, more) => {
        const few = decide(some, clean);
        const many = decide([...some, ...more], clean);
        expect(decide(some, clean)).toEqual(few);
        if (!few.allowed) expect(many.allowed).toBe(false);
        const alone = some.filter((each) => !decide([each], clean).allowed);
        expect(few.allowed ? 0 : few.hits.length).toBe(alone.length);
      }),
    );
  });
});
