import type { FastifyInstance, FastifyRequest } from 'fastify';
import { versionParams } from '../../contract/api/packages.ts';
import { plainRoutes } from '../../contract/api/plain-routes.ts';
import { mostManifestBytes } from '../../domain/registry/manifests/most-manifest-bytes.ts';
import { etagOf, judgeConditions } from './bytes/preconditions.ts';
import type { HttpContext } from './http-context.ts';
import { actorOf, paramsOf } from './plain-request.ts';
import { fastifyPath } from './route-table.ts';

/** Whoever sends more is refused before it is read. */
const bodyLimit = mostManifestBytes;

/** The routes of manifests, which are bytes: what comes in is kept, and comes out, exactly as it is. */
export function registerManifestRoutes(app: FastifyInstance, { parts }: Pick<HttpContext, 'parts'>): void {
  const { registry } = parts;
  const { putManifest: put, getManifest: get } = plainRoutes;

  app.register(async (own) => {
    // In a scope of its own, where JSON too is bytes and not a value.
    own.removeAllContentTypeParsers();
    own.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit }, (_request, body, done) => done(null, body));

    own.route({
      method: put.method,
      url: fastifyPath(put.path),
      config: { role: put.role },
      bodyLimit,
      handler: async (request, reply) => {
        const { putManifest } = await import('../../domain/registry/manifests/put-manifest.ts');
        const { repoKey: repo, versionId } = paramsOf(versionParams, request);
        const body = request.body instanceof Uint8Array ? request.body : new Uint8Array();
        const wanted = { repo, versionId, mediaType: mediaTypeOf(request), body };
        const { pending, ...answer } = await putManifest(registry, wanted, actorOf(request));
        return reply
          .header('etag', etagOf(answer.digest))
          .send({ ...answer, pending: pending.map(({ pointer, message }) => ({ pointer, message })) });
      },
    });
  });

  app.route({
    method: get.method,
    url: fastifyPath(get.path),
    config: { role: get.role },
    handler: async (request, reply) => {
      const { getManifest } = await import('../../domain/registry/manifests/get-manifest.ts');
      const { repoKey: repo, versionId } = paramsOf(versionParams, request);
      const { mediaType, body, digest } = await getManifest(registry, { repo, versionId });
      void reply.header('etag', etagOf(digest));
      if (judgeConditions(request.headers, digest).unchanged) return reply.code(304).send();
      return reply.type(mediaType).send(Buffer.from(body.buffer, body.byteOffset, body.byteLength));
    },
  });
}

/** Without its parameters: manifests are JSON, which is UTF-8 whatever they say. */
function mediaTypeOf({ headers }: FastifyRequest): string | null {
  const given = headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  return given === '' ? null : given;
}
