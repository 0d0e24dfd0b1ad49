import Ajv2020 from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import {
  agentLineSchema,
  commandSchema,
  eventSchema,
  heartbeatSchema,
  helloSchema,
  logSchema,
} from './agent-protocol.ts';

const digest = `sha256:${'0a'.repeat(32)}`;
const hello = {
  type: 'hello',
  protocol: 'waybill.agent.v1',
  name: 'builder',
  version: '1.2.3',
  actions: ['implement'],
  dedupe: true,
};
const command = {
  type: 'command',
  messageId: 'm1',
  correlationId: 'c1',
  idempotencyKey: `ik:${'0b'.repeat(32)}`,
  runId: 'run-20261122-210000-0000abcd',
  task: 'T-0042',
  step: 'implement',
  attempt: 1,
  resent: false,
  action: 'implement',
  inputs: { goal: 'more', depth: [1, { two: null }] },
  expectedOutputs: ['src/a.ts'],
  snapshot: { id: 'snap-0123456789ab', digest },
  workspace: '/home/somebody/project',
  deadline: '2026-11-22T21:30:00.000Z',
  priority: 0,
  traceparent: null,
};
const completed = {
  type: 'event',
  event: 'completed',
  correlationId: 'c1',
  outputs: {},
  artifacts: [{ path: 'a', size: 0, digest }],
};
const failed = {
  type: 'event',
  event: 'error',
  correlationId: 'c1',
  error: { code: 'no_spec', message: '', retryable: false },
};
const progress = { type: 'event', event: 'progress', correlationId: 'c1', message: 'half', data: { percent: 50 } };
const log = { type: 'log', level: 'info', message: 'hm', data: { a: 1 } };

const cases = {
  hello: {
    schema: helloSchema,
    good: [hello, { ...hello, heartbeatMs: 1000 }, { ...hello, news: [1] }],
    bad: [
      { ...hello, protocol: 'waybill.agent.v2' },
      { ...hello, name: '../up' },
      { ...hello, dedupe: 'yes' },
      { ...hello, heartbeatMs: 0.5 },
      { ...hello, actions: ['a', 7] },
    ],
  },
  command: {
    schema: commandSchema,
    good: [command, { ...command, task: null, snapshot: null, news: true }],
    bad: [
      { ...command, idempotencyKey: 'ik:../../etc' },
      { ...command, attempt: 0 },
      { ...command, inputs: [] },
      { ...command, task: '..' },
      { ...command, deadline: 'tomorrow' },
    ],
  },
  event: {
    schema: eventSchema,
    good: [completed, failed, progress, { ...completed, news: {} }],
    bad: [
      { ...completed, outputs: 'done' },
      { ...completed, artifacts: [{ path: 'a', size: -1, digest }] },
      { ...completed, artifacts: [{ path: 'a', size: 1, digest: 'md5:1' }] },
      { ...completed, event: 'done' },
      { ...failed, error: { code: 'x', message: 'y' } },
    ],
  },
  heartbeat: {
    schema: heartbeatSchema,
    good: [{ type: 'heartbeat' }],
    bad: [{ type: 'beat' }, { type: 'heartbeat', correlationId: 1 }],
  },
  log: {
    schema: logSchema,
    good: [log],
    bad: [
      { ...log, level: 'loud' },
      { ...log, message: 1 },
      { ...log, data: 'x' },
    ],
  },
};

describe('R11 the lines of the agent protocol', () => {
  for (const [name, { schema, good, bad }] of Object.entries(cases)) {
    test(`R11 ${name}: the schema and the JSON Schema made of it agree on good and bad lines`, () => {
      const ajv = new Ajv2020.default({ strict: false });
      addFormats.default(ajv);
      const validate = ajv.compile(z.toJSONSchema(schema, { target: 'draft-2020-12' }));
      for (const line of good) {
        expect(schema.safeParse(line).success, JSON.stringify(line)).toBe(true);
        expect(validate(line), JSON.stringify(line)).toBe(true);
      }
      for (const line of bad) {
        expect(schema.safeParse(line).success, JSON.stringify(line)).toBe(false);
        expect(validate(line), JSON.stringify(line)).toBe(false);
      }
    });
  }

  test('R11 extra fields pass through, so an older side can keep what a newer one says', () => {
    expect(agentLineSchema.parse({ ...completed, news: { a: 1 } })).toEqual({ ...completed, news: { a: 1 } });
  });
});
