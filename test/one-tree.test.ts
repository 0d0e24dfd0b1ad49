import { randomBytes } from 'node:crypto';
import { expect, test, vi } from 'vitest';
import { z } from 'zod';
import { startDaemon } from './support/daemon.ts';
import { effectTools, toolEffects } from './support/effect-tools.ts';
import { readStream } from './support/read-stream.ts';
import { nodeAgent } from './support/task-agents.ts';
import { makeWorkspace } from './support/workspace.ts';

vi.setConfig({ testTimeout: 120_000 });
const configuration = `import { defineConfig, defineWorkflow } from 'waybill';
const build = defineWorkflow('build', async (run) => {
  await run.agent('worker', { action: 'implement', inputs: { iteration: 1 } });
  await run.exec(['sh', '-c', 'exit 3']);
});
export default defineConfig({
  workflows: [build],
  agents: { worker: { command: ${nodeAgent('worker.ts')}, setEnv: { TEST_OUTSIDE: process.env.TEST_OUTSIDE ?? '' } } },
});
`;

test('F7 one request is one tree: from the caller through the command line to the agent, the error store and the outbox', async () => {
  await using workspace = await makeWorkspace({ configuration });
  const traceId = randomBytes(16).toString('hex');
  const caller = randomBytes(8).toString('hex');
  const TRACEPARENT = `00-${traceId}-${caller}-01`;
  const { code, run, events } = await workspace.stream(['run', '--workflow', 'build'], { TRACEPARENT });
  expect({ code, state: run.state }).toEqual({ code: 1, state: 'failed' });

  const spans = z
    .array(z.object({ correlation_id: z.string(), span_id: z.string(), parent_span_id: z.string().nullable() }))
    .parse(workspace.rows('SELECT correlation_id, span_id, parent_span_id FROM span'));
  expect(spans.length).toBeGreaterThanOrEqual(1);
  expect(new Set(spans.map((span) => span.correlation_id))).toEqual(new Set([traceId]));
  const known = new Set([caller, ...spans.map((span) => span.span_id)]);
  expect(spans.filter((span) => span.parent_span_id === caller)).toHaveLength(1);
  for (const span of spans) expect(known).toContain(span.parent_span_id);

  const [effect] = await workspace.effects();
  const handedOn = new RegExp(`^00-${traceId}-[0-9a-f]{16}-[0-9a-f]{2}$`);
  expect(effect).toMatchObject({
    traceparent: expect.stringMatching(handedOn),
    environment: expect.stringMatching(handedOn),
  });
  expect(events[0]).toMatchObject({ type: 'run.started', traceId });

  const envelopes = workspace.rows('SELECT correlation_id FROM infra_error_events WHERE run_id = ?', run.runId);
  expect(envelopes).toEqual([{ correlation_id: traceId }]);

  // What leaves the system names the span it comes from, so that whoever gets it continues the same tree.
  const news = z.array(z.object({ traceparent: z.string() })).parse(workspace.rows('SELECT traceparent FROM outbox'));
  expect(news).toHaveLength(1);
  expect(news[0]?.traceparent).toMatch(handedOn);
  expect(known).toContain(news[0]?.traceparent.split('-')[2]);
});

const remote = `import { defineConfig, defineWorkflow } from 'waybill';
const build = defineWorkflow('build', async (run) => {
  await run.agent('worker', { action: 'implement', inputs: { iteration: 1 } });
  await run.tool('shout', { n: 1 });
  await run.tool('refuse', { n: 1 });
});
export default defineConfig({
  workflows: [build],
  agents: { worker: { command: ${nodeAgent('worker.ts')}, setEnv: { TEST_OUTSIDE: process.env.TEST_OUTSIDE ?? '' } } },
});
`;

test('F7 one request over HTTP is one tree: API, queue, worker, agent, tools, error store and outbox, read from the store alone', async () => {
  await using workspace = await makeWorkspace({ configuration: remote, files: effectTools });
  const traceId = randomBytes(16).toString('hex');
  const caller = randomBytes(8).toString('hex');
  const daemon = await startDaemon(workspace);
  const submitted = await daemon.ask('POST', '/v1/runs', {
    body: { workflow: 'build' },
    headers: { traceparent: `00-${traceId}-${caller}-01` },
  });
  const { runId } = z.object({ runId: z.string() }).parse(submitted.body);
  const { events } = await readStream(daemon, runId);
  expect(events.at(-1)?.type).toBe('run.failed');
  // What is looked at from here on is what is left when the daemon is gone.
  expect((await daemon.stop()).code).toBe(0);

  const row = z.object({ span_id: z.string(), parent_span_id: z.string().nullable(), name: z.string() });
  const spans = z
    .array(row)
    .parse(workspace.rows('SELECT span_id, parent_span_id, name FROM span WHERE correlation_id = ?', traceId));
  const known = new Map(spans.map((span) => [span.span_id, span]));
  /** The way up from a span to whoever called; what is not stored ends it. */
  const wayUp = (spanId: string): string[] => {
    const span = known.get(spanId);
    return span === undefined ? [spanId] : [spanId, ...wayUp(span.parent_span_id ?? '')];
  };
  expect(spans.filter((span) => span.parent_span_id === caller)).toHaveLength(1);
  for (const { span_id: spanId } of spans) expect(wayUp(spanId).at(-1)).toBe(caller);

  const stored = await workspace.events(runId);
  expect(stored).toEqual(events);
  const traced = stored.filter((event) => event.traceId !== undefined);
  expect(traced.map(({ type }) => type)).toEqual(['run.queued', 'run.started']);
  for (const event of traced) {
    expect(event.traceId).toBe(traceId);
    expect(wayUp(event.spanId ?? '').at(-1)).toBe(caller);
  }

  const handedOn = new RegExp(`^00-${traceId}-([0-9a-f]{16})-[0-9a-f]{2}$`);
  const [agent] = await workspace.effects();
  const tools = await toolEffects(workspace);
  const told = [agent?.environment, ...tools.map(({ traceparent }) => traceparent)];
  expect(told.length).toBeGreaterThanOrEqual(3);
  for (const traceparent of told) {
    const [, span = ''] = handedOn.exec(z.string().parse(traceparent)) ?? [];
    expect(wayUp(span).at(-1)).toBe(caller);
  }
  const envelopes = workspace.rows('SELECT correlation_id FROM infra_error_events WHERE run_id = ?', runId);
  expect(envelopes).toEqual([{ correlation_id: traceId }]);
  const news = z.array(z.object({ traceparent: z.string() })).parse(workspace.rows('SELECT traceparent FROM outbox'));
  expect(news.length).toBeGreaterThanOrEqual(1);
  for (const { traceparent } of news) expect(wayUp(handedOn.exec(traceparent)?.[1] ?? '').at(-1)).toBe(caller);
});
