import { expect, test } from 'vitest';
import { streamLineSchema } from '../../contract/api/events.ts';
import { problemSchema } from '../../contract/api/problem.ts';
import { tokenSchema } from '../../contract/api/tokens.ts';
import { errorOfAnswer } from './client-error.ts';
import { fits } from './fits.ts';

const problem = {
  type: 'urn:waybill:problem:quota_used_up',
  title: 'Too much at once',
  status: 429,
  detail: 'the quota of today is used up',
  instance: '/v1/runs',
  code: 'quota_used_up',
  hint: 'Try it tomorrow.',
  issues: [],
  details: null,
  errorId: null,
  correlationId: null,
};
const digest = `sha256:${'0'.repeat(64)}`;
const runId = 'run-20260101-000000-00000000';
const event = { schema: 'waybill.event.v1', runId, seq: 1, time: '2026-01-01T00:00:00.000Z', data: {}, digest };

test('what a newer daemon says fits: further members, and new words where lists grow', () => {
  expect(fits(problemSchema, problem)).toBe(true);
  expect(fits(problemSchema, { ...problem, retryAt: 'tomorrow' })).toBe(true);
  expect(fits(streamLineSchema, { ...event, previous: digest, type: 'run.archived', more: 1 })).toBe(true);
});

test('what no daemon says does not', () => {
  const token = {
    id: `tok_${'0'.repeat(16)}`,
    name: 'a',
    actor: 'a',
    repos: [],
    createdAt: '2026-01-01T00:00:00Z',
    expiresAt: null,
    revokedAt: null,
    lastUsedAt: null,
  };
  expect(fits(tokenSchema, { ...token, role: 'auditor' })).toBe(true);
  expect(fits(tokenSchema, { ...token, role: 'owner' })).toBe(false);
  expect(fits(problemSchema, { ...problem, code: 7 })).toBe(false);
  expect(fits(problemSchema, { ...problem, status: 'high' })).toBe(false);
  expect(fits(streamLineSchema, { ...event, type: 'run.archived' })).toBe(false);
});

test('a problem with a code this client does not know keeps its words', async () => {
  const headers = { 'content-type': 'application/problem+json' };
  const error = await errorOfAnswer(new Response(JSON.stringify(problem), { status: 429, headers }));
  expect(error).toMatchObject({ code: 'response_invalid', hint: problem.hint, exitCode: 3 });
  expect(error.message).toContain(problem.detail);
  expect(error.details).toMatchObject({ status: 429, code: 'quota_used_up' });
});
