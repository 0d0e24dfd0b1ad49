import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, expectTypeOf, test } from 'vitest';
import * as plugin from '../../sdk/plugin/index.ts';
import {
  type Correlation,
  childSpan,
  correlationScope,
  currentCorrelation,
  currentTraceparent,
  originOf,
} from './correlation.ts';
import type { Span } from './span.ts';
import { SpanBuffer } from './span-buffer.ts';

const inbound = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

function collector(): { readonly spans: Span[]; record(span: Span): void } {
  const spans: Span[] = [];
  return { spans, record: (span) => void spans.push(span) };
}

function here(): Correlation {
  const correlation = currentCorrelation();
  if (correlation === undefined) throw new Error('there is no scope here');
  return correlation;
}

test('F32 a scope is a frozen root, a nested scope and a child span are its children, and nothing is left after it', () => {
  correlationScope({ component: 'cli' }, () => {
    const root = here();
    expect(root).toMatchObject({ component: 'cli', parentSpanId: null });
    expect(Object.isFrozen(root)).toBe(true);
    expect(currentTraceparent()).toBe(`00-${root.correlationId}-${root.spanId}-01`);
    correlationScope({ component: 'runs' }, () => {
      const scope = here();
      expect(scope).toMatchObject({
        component: 'runs',
        correlationId: root.correlationId,
        parentSpanId: root.spanId,
      });
      childSpan('step', () => {
        expect(here()).toMatchObject({ component: 'runs', parentSpanId: scope.spanId });
      });
      expect(here()).toBe(scope);
    });
    expect(here()).toBe(root);
  });
  expect(currentCorrelation()).toBeUndefined();
  expect(currentTraceparent()).toBeNull();
});

test('F32 childSpan outside of a scope throws correlation_missing', () => {
  expect(() => childSpan('lost', () => 1)).toThrow(expect.objectContaining({ code: 'correlation_missing' }));
});

test('F32 with an inbound trace a scope is its child, never a second root, even inside another scope', () => {
  const child = { correlationId: '4bf92f3577b34da6a3ce929d0e0e4736', parentSpanId: '00f067aa0ba902b7' };
  correlationScope({ component: 'worker', inbound }, () => expect(here()).toMatchObject(child));
  correlationScope({ component: 'relay' }, () => {
    correlationScope({ component: 'worker', inbound }, () => expect(here()).toMatchObject(child));
  });
});

test('F8 a malformed or oversized inbound trace is replaced by a new one, and the span notes it', () => {
  for (const [text, note] of [
    ['00-zz-zz-01', 'inbound traceparent malformed'],
    ['0'.repeat(5000), 'inbound traceparent oversized'],
  ] as const) {
    const sink = collector();
    correlationScope({ component: 'http', inbound: text, sink }, () => expect(here().parentSpanId).toBeNull());
    expect(sink.spans).toMatchObject([{ note, parentSpanId: null }]);
  }
});

test('F7 spans carry start, end and outcome; exceptions pass through and restore the scope before', async () => {
  const sink = collector();
  const broken = new Error('broken');
  await correlationScope({ component: 'cli', sink }, async () => {
    const root = here();
    await expect(
      childSpan('fails later', async () => {
        await nextTurn();
        throw broken;
      }),
    ).rejects.toBe(broken);
    expect(() =>
      childSpan('fails at once', () => {
        throw broken;
      }),
    ).toThrow(broken);
    expect(here()).toBe(root);
  });
  expect(sink.spans.map((span) => [span.name, span.outcome])).toEqual([
    ['fails later', 'failed'],
    ['fails at once', 'failed'],
    ['cli', 'succeeded'],
  ]);
  for (const span of sink.spans) expect(span.endedAt).toBeGreaterThanOrEqual(span.startedAt);
  expect(originOf(broken)?.spanId).toBe(sink.spans[0]?.spanId);
});

test('F7 one thousand concurrent nested scopes never mix', async () => {
  const sink = collector();
  const walk = async (index: number): Promise<void> => {
    await correlationScope({ component: `c${index}`, sink }, async () => {
      const root = here();
      await nextTurn();
      await Promise.all(
        ['a', 'b'].map((name) =>
          childSpan(name, async () => {
            const child = here();
            await nextTurn();
            await childSpan(`${name}${name}`, async () => {
              await nextTurn();
              expect(here()).toMatchObject({ correlationId: root.correlationId, parentSpanId: child.spanId });
            });
            expect(here()).toBe(child);
            expect(child.parentSpanId).toBe(root.spanId);
          }),
        ),
      );
      expect(here()).toBe(root);
    });
  };
  await Promise.all(Array.from({ length: 1000 }, (_, index) => walk(index)));
  const trees = Map.groupBy(sink.spans, (span) => span.correlationId);
  expect(trees.size).toBe(1000);
  for (const tree of trees.values()) {
    expect(new Set(tree.map((span) => span.component)).size).toBe(1);
    const ids = new Set(tree.map((span) => span.spanId));
    expect(ids.size).toBe(5);
    expect(tree.filter((span) => span.parentSpanId === null || !ids.has(span.parentSpanId))).toHaveLength(1);
  }
});

test('F32 a plugin sees the same scopes as the program that loaded it', () => {
  correlationScope({ component: 'run-worker' }, () => {
    const ours = here();
    plugin.correlationScope({ component: 'my-plugin' }, () => {
      expect(here()).toMatchObject({ component: 'my-plugin', parentSpanId: ours.spanId });
      plugin.childSpan('inner', () => expect(plugin.currentCorrelation()).toBe(here()));
    });
  });
  expect(plugin.currentCorrelation()).toBeUndefined();
  expect(() => plugin.childSpan('lost', () => 1)).toThrow(expect.objectContaining({ code: 'correlation_missing' }));
});

test('a scope has the type of what it runs', () => {
  expectTypeOf(correlationScope({ component: 'x' }, () => 1)).toEqualTypeOf<number>();
  expectTypeOf(correlationScope({ component: 'x' }, async () => 'a')).toEqualTypeOf<Promise<string>>();
});

test('F7 spans are written in batches, beside the work; what does not fit or cannot be stored is counted', async () => {
  const buffer = new SpanBuffer({ capacity: 3, delayMs: 1 });
  const work = (count: number): void => {
    for (let n = 0; n < count; n++) correlationScope({ component: 'cli', sink: buffer }, () => n);
  };
  work(5);
  expect([buffer.waiting, buffer.lost]).toEqual([3, 2]);
  const batches: number[] = [];
  buffer.attach(async (spans) => void batches.push(spans.length));
  await expect.poll(() => batches).toEqual([3]);
  buffer.attach(() => Promise.reject(new Error('the store is down')));
  work(2);
  await buffer.flush();
  expect([buffer.waiting, buffer.lost]).toEqual([0, 4]);
});
