import { randomBytes } from 'node:crypto';
import { expect, test, vi } from 'vitest';
import { z } from 'zod';
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
