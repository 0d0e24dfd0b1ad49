import type { FastifyInstance } from 'fastify';
import { plainRoutes } from '../../contract/api/plain-routes.ts';
import type { Health, Readiness } from '../../contract/api/system.ts';
import { queueCounts } from '../../domain/runs/queue/queue-counts.ts';
import type { HttpContext } from './http-context.ts';
import { metricsMediaType, metricsText } from './metrics-text.ts';

/** The routes that answer texts, or everybody; the events of a run have a room of their own. */
export function registerPlainRoutes(app: FastifyInstance, { parts, drain, measurements }: HttpContext): void {
  const { health, readiness, metrics, document, documentation } = plainRoutes;

  app.route({
    ...at(health),
    handler: (_request, reply) => reply.send({ status: 'ok', version: parts.version } satisfies Health),
  });

  app.route({
    ...at(readiness),
    handler: async (_request, reply) => {
      const found = await parts.readiness();
      const draining = drain.aborted || parts.worker().draining;
      const self = { name: 'daemon', ready: !draining, reason: draining ? 'it is ending' : null };
      const dependencies = [...found.dependencies.filter(({ name }) => name !== self.name), self];
      const answer: Readiness = { ready: found.ready && !draining, dependencies };
      return reply.code(answer.ready ? 200 : 503).send(answer);
    },
  });

  app.route({
    ...at(metrics),
    handler: async (_request, reply) => {
      const text = metricsText({
        version: parts.version,
        engine: parts.engine.store.engine,
        queue: await queueCounts(parts.engine.store),
        held: parts.worker().held,
        envelopes: parts.errors.counts,
        measurements,
        memory: process.memoryUsage(),
        cpu: process.cpuUsage(),
        uptime: process.uptime(),
      });
      return reply.type(metricsMediaType).send(text);
    },
  });

  // Imported when somebody asks: a start needs neither.
  app.route({
    ...at(document),
    handler: async (_request, reply) => {
      const { documentText } = await import('./documentation.ts');
      return reply.type('application/json').send(await documentText());
    },
  });

  app.route({
    ...at(documentation),
    handler: async (_request, reply) => {
      const { documentationPage } = await import('./documentation.ts');
      const { html, policy } = await documentationPage();
      return reply
        .type('text/html; charset=utf-8')
        .headers({ 'content-security-policy': policy, 'referrer-policy': 'no-referrer' })
        .send(html);
    },
  });
}

function at({ method, path, role }: (typeof plainRoutes)[keyof typeof plainRoutes]) {
  return { method, url: path, config: { role } };
}
