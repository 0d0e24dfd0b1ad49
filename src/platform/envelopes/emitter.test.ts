import { expect, test } from 'vitest';
import { WaybillError } from '../../contract/errors.ts';
import { idShapes } from '../../contract/ids.ts';
import { childSpan, correlationScope, currentCorrelation } from '../correlation/correlation.ts';
import { parseEnvelope, upgrade } from './envelope-schema.ts';
import { type ErrorClass, errorClasses, type Layer, layers, mayEmit } from './error-class.ts';
import { normalizeMessage } from './fingerprint.ts';
import { testEmitters } from './fixtures/test-emitters.ts';

const emitterFor = testEmitters();
const domain = emitterFor('L4', 'runs');
const platform = emitterFor('L6', 'store');
const failed = { errorClass: 'domain.constraint', severity: 'error', message: 'the check failed' } as const;

test('F1 the emitter of a layer takes only its classes, checked by the compiler and once more when it runs', () => {
  const refused = expect.objectContaining({ code: 'envelope_invalid' });
  // @ts-expect-error the domain does not speak for the network
  expect(() => domain.emit({ ...failed, errorClass: 'infra.network' })).toThrow(refused);
  for (const layer of ['L2', 'L3', 'L5', 'L6'] as const) {
    // @ts-expect-error only the domain speaks for its rules
    expect(() => emitterFor(layer, 'x').emit({ ...failed, errorClass: 'domain.policy_violation' })).toThrow(refused);
  }
  // @ts-expect-error L1 is a page in a browser and leaves no envelope
  expect(() => emitterFor('L1', 'page').emit(failed)).toThrow(refused);
  // @ts-expect-error there are 19 classes, and this is none of them
  expect(() => domain.emit({ ...failed, errorClass: 'domain.bad_luck' })).toThrow(refused);
  expect(domain.emit({ ...failed, errorClass: 'system.internal' }).layer).toBe('L4');
  expect(platform.emit({ ...failed, errorClass: 'infra.database' }).errorClass).toBe('infra.database');
  expect(platform.emit({ ...failed, errorClass: 'unknown' }).errorClass).toBe('unknown');
});

test('F1 of 19 classes and 5 layers exactly these pairs are allowed', () => {
  expect(errorClasses).toHaveLength(19);
  const allowed = (layer: Layer): readonly ErrorClass[] => errorClasses.filter((name) => mayEmit(layer, name));
  for (const layer of layers) {
    const own = layer === 'L4' ? 'domain.' : 'infra.';
    const expected = errorClasses.filter(
      (name) => [own, 'system.'].some((p) => name.startsWith(p)) || name === 'unknown',
    );
    expect(allowed(layer)).toEqual(expected);
  }
});

test('an envelope has its id, its workspace and its place, and passes its own schema (part of F31)', () => {
  const envelope = domain.emit({ ...failed, runId: 'run-1', step: 'implement', exitCode: 2, context: { tries: 3 } });
  expect(envelope.errorId).toMatch(idShapes.envelope);
  expect(envelope).toMatchObject({ workspaceId: 'ws-test', runId: 'run-1', step: 'implement', synthetic: false });
  expect(envelope.context).toEqual({ tries: 3, exitCode: 2, signal: null });
  expect(parseEnvelope(JSON.parse(JSON.stringify(envelope)))).toEqual(envelope);
});

test('F5 an envelope is frozen to the bottom', () => {
  const cause = new Error('below');
  const envelope = domain.emit({ ...failed, error: new Error('top', { cause }), context: { a: { b: [{ c: 1 }] } } });
  const frozen = (value: unknown): boolean =>
    typeof value !== 'object' || value === null || (Object.isFrozen(value) && Object.values(value).every(frozen));
  expect(envelope.exceptionChain).toHaveLength(1);
  expect(frozen(envelope)).toBe(true);
});

test('F7 an envelope stands in the span where the error began, however far away it is caught', () => {
  correlationScope({ component: 'cli' }, () => {
    const root = currentCorrelation();
    let inner: string | undefined;
    let caught: unknown;
    try {
      childSpan('step', () => {
        inner = currentCorrelation()?.spanId;
        throw new Error('broken');
      });
    } catch (error) {
      caught = error;
    }
    expect(domain.emit({ ...failed, error: caught })).toMatchObject({
      correlationId: root?.correlationId,
      spanId: inner,
      parentSpanId: root?.spanId,
    });
    expect(domain.emit(failed).spanId).toBe(root?.spanId);
  });
  expect(domain.emit(failed)).toMatchObject({
    parentSpanId: null,
    correlationId: expect.stringMatching(idShapes.traceId),
  });
});

test('F4 the input is a keyed hash: absent and empty differ, field order does not matter, another key gives another', () => {
  const hash = (input: Parameters<typeof domain.emit>[0]['input']) => domain.emit({ ...failed, input }).inputHash;
  const hashes = [undefined, null, '', {}, [], 0, false, '{}', 'null'].map(hash);
  expect(hashes[0]).toBeNull();
  expect(new Set(hashes).size).toBe(9);
  expect(hash({ a: 1, b: { c: 2, d: 3 } })).toBe(hash({ b: { d: 3, c: 2 }, a: 1 }));
  expect(hash('\ud800')).toMatch(/^hmac-sha256:[0-9a-f]{64}$/);
  expect(testEmitters()('L4', 'runs').emit({ ...failed, input: 'x' }).inputHash).not.toBe(hash('x'));
  expect(JSON.stringify(domain.emit({ ...failed, input: 'the very input' }))).not.toContain('very input');
});

test('F5 planted secrets are in no field', () => {
  const canary = 'c4n4ry7Zq';
  const planted = [
    `password=${canary}`,
    `Authorization: Bearer ${canary}`,
    `sk-ant-api03-${canary}${canary}`,
    `jane.${canary}@mail.example`,
    '4111 1111 1111 1111',
  ].join(' and ');
  const envelope = domain.emit({
    ...failed,
    message: planted,
    error: new Error(planted, { cause: new AggregateError([new Error(planted)], planted) }),
    context: { text: planted, nested: [{ apiKey: canary }], [`token=${canary}`]: 1 },
    input: { password: canary },
    step: `token=${canary}`,
    actor: `jane.${canary}@mail.example`,
  });
  const text = JSON.stringify(envelope);
  expect(text).not.toContain(canary);
  expect(text).not.toContain('1111');
  expect(text.match(/\[redacted:/g)?.length).toBeGreaterThan(10);
});

test('F4 texts are bounded and can be stored: long, lone surrogates, NUL', () => {
  const envelope = domain.emit({
    ...failed,
    message: `${'long words '.repeat(100_000)}`,
    error: new Error('\0\ud800'.repeat(1000)),
    context: {
      deep: { a: { b: { c: { d: { e: { f: { g: 1 } } } } } } },
      many: Array(1000).fill('x'),
      text: 'y'.repeat(500),
    },
  });
  expect(envelope.message).toHaveLength(1000);
  expect(JSON.stringify(envelope.context).length).toBeLessThan(1000);
  for (const text of [envelope.message, JSON.stringify(envelope.exceptionChain)]) {
    expect(text.isWellFormed() && !text.includes('\0')).toBe(true);
  }
  expect(domain.emit({ ...failed, context: { a: Array(50).fill(Array(50).fill('z'.repeat(190))) } }).context).toEqual({
    cut: true,
  });
});

test('F4 of a long list only the items that are kept are looked through for secrets', () => {
  const problems = Array.from({ length: 10_000 }, (_, index) => ({ password: 'hunter2', message: `no ${index}` }));
  const begun = performance.now();
  const { context } = domain.emit({ ...failed, context: { problems, tokens: ['--password', 'hunter2'] } });
  expect(performance.now() - begun).toBeLessThan(300);
  expect(context.problems).toHaveLength(20);
  expect(JSON.stringify(context)).not.toContain('hunter2');
});

test('F4 the fingerprint is made of type, normalized message, step and exit; nothing else changes it', () => {
  const print = (draft: Partial<Parameters<typeof domain.emit>[0]>) => domain.emit({ ...failed, ...draft }).fingerprint;
  const message =
    'step "build" of run-20261122-210500-0a1b2c3d failed after 12 ms at /tmp/a/b.ts:12 (sha256:' +
    'a1'.repeat(32) +
    ')';
  const other = `step "test" of run-20261123-000000-ffffffff failed after 9 ms at /home/x/c.ts:7 (sha256:${'b2'.repeat(32)})`;
  expect(normalizeMessage(message)).toBe('step <text> of <run> failed after <n> ms at <path>:<n> (<digest>)');
  expect(print({ message })).toBe(print({ message: other, runId: 'another', context: { a: 1 }, actor: 'me' }));
  const distinct = [
    {},
    { step: 'build' },
    { exitCode: 1 },
    { exitCode: 2 },
    { signal: 'SIGKILL' },
    { message: 'another' },
  ];
  expect(new Set([...distinct.map(print), print({ error: new TypeError('x') })]).size).toBe(7);
});

test('F4 the type of an exception names our code, and an exception chain has no stack trace', () => {
  const envelope = domain.emit({
    ...failed,
    error: new WaybillError('agent_timeout', 'late', { cause: new Error('below') }),
  });
  expect(envelope.exceptionType).toBe('WaybillError:agent_timeout');
  expect(JSON.stringify(envelope)).not.toMatch(/\n|\bat .*emitter\.test|node_modules/);
});

test('F5 an older schema is read step by step, a newer one and garbage are refused', () => {
  const envelope = JSON.parse(JSON.stringify(domain.emit(failed)));
  expect(() => parseEnvelope({ ...envelope, schemaVersion: 2 })).toThrow(
    expect.objectContaining({ code: 'envelope_newer_schema' }),
  );
  for (const broken of [
    null,
    'x',
    {},
    { ...envelope, errorId: 'err_1' },
    { ...envelope, extra: 1 },
    { ...envelope, layer: 'L6' },
  ]) {
    expect(() => parseEnvelope(broken)).toThrow(expect.objectContaining({ code: 'envelope_invalid' }));
  }
  const steps = [
    (old: Readonly<Record<string, unknown>>) => ({ ...old, second: true }),
    (old: Readonly<Record<string, unknown>>) => ({ ...old, third: old.second }),
  ];
  expect(upgrade({ schemaVersion: 1, first: 1 }, steps)).toEqual({
    schemaVersion: 3,
    first: 1,
    second: true,
    third: true,
  });
  expect(upgrade({ schemaVersion: 2, second: 0 }, steps)).toEqual({ schemaVersion: 3, second: 0, third: 0 });
  expect(upgrade({ schemaVersion: 3 }, steps)).toEqual({ schemaVersion: 3 });
});
