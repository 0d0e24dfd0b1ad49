import { fastify, LogController } from 'fastify';
import { expect, test } from 'vitest';
import { logAndCount, logLevel } from './access-log.ts';
import { Measurements } from './measurements.ts';
import { openRequestScopes } from './request-scope.ts';

test('WAYBILL_LOG chooses how much is told, and a word that is no level is refused', () => {
  expect([undefined, '', 'info', 'silent'].map(logLevel)).toEqual(['warn', 'warn', 'info', 'silent']);
  expect(() => logLevel('loud')).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
});

test('a line about a request holds its route and nothing that was sent', async () => {
  const lines: string[] = [];
  const app = fastify({
    logger: { level: 'info', stream: { write: (line: string) => void lines.push(line) } },
    logController: new LogController({ disableRequestLogging: true }),
  });
  const measurements = new Measurements();
  openRequestScopes(app, { record: () => {} });
  logAndCount(app, measurements);
  app.post('/v1/things/:name', async () => ({ answer: 'planted-answer' }));
  await app.inject({
    method: 'POST',
    url: '/v1/things/planted-path?q=planted-query',
    headers: { authorization: 'Bearer planted-token', 'x-other': 'planted-header' },
    payload: { body: 'planted-body' },
  });
  await app.close();
  expect(lines).toHaveLength(1);
  expect(lines[0]).not.toContain('planted');
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({ method: 'POST', route: '/v1/things/{name}', status: 200 });
  expect(measurements.requests()).toMatchObject([
    { route: '/v1/things/{name}', method: 'POST', status: 200, count: 1 },
  ]);
});
