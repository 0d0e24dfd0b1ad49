import type { FastifyInstance } from 'fastify';
import { WaybillError } from '../../contract/errors.ts';
import type { Measurements } from './measurements.ts';
import { declaredPath } from './request-scope.ts';

const levels = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof levels)[number];

/**
 * What `WAYBILL_LOG` says; warnings and errors unless it is set.
 * @throws WaybillError `invalid_argument` for another word
 */
export function logLevel(word: string | undefined): LogLevel {
  if (word === undefined || word === '') return 'warn';
  const level = levels.find((each) => each === word);
  if (level !== undefined) return level;
  throw new WaybillError('invalid_argument', `WAYBILL_LOG is ${JSON.stringify(word)}, which is no level`, {
    hint: `Set it to one of: ${levels.join(', ')}.`,
  });
}

/** Counts each request, and writes one line about it: never a header, a body or the path that was asked for. */
export function logAndCount(app: FastifyInstance, measurements: Measurements): void {
  app.addHook('onResponse', (request, reply, done) => {
    const [route, status, ms] = [declaredPath(request), reply.statusCode, reply.elapsedTime];
    measurements.countRequest(route, request.method, status, ms / 1000);
    const line = {
      method: request.method,
      route,
      status,
      ms: Math.round(ms * 10) / 10,
      actor: request.caller?.actor ?? null,
      correlationId: request.correlationId,
    };
    // 503 is an answer that was meant: not ready, or ending.
    if (status >= 500 && status !== 503) request.log.error(line, 'answered');
    else if ([401, 403, 421, 429, 503].includes(status)) request.log.warn(line, 'answered');
    else request.log.info(line, 'answered');
    done();
  });
}
