import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { byteRoutes } from '../../../contract/api/byte-routes.ts';
import { uploadLengthHeader, uploadOffsetHeader } from '../../../contract/api/uploads.ts';
import { parseDigest } from '../../../platform/digests/digest.ts';
import { invalidRequest } from '../describe-error.ts';
import type { HttpContext } from '../http-context.ts';
import { actorOf, paramsOf } from '../plain-request.ts';
import { fastifyPath } from '../route-table.ts';
import { etagOf } from './preconditions.ts';
import { requestBytes } from './request-bytes.ts';
import { sendBytes } from './send-bytes.ts';

type Parts = Pick<HttpContext['parts'], 'registry' | 'errors'>;
type Route = (typeof byteRoutes)[keyof typeof byteRoutes];

/** The routes that take or give bytes; loaded when they are first asked for, so that a start need not pay for them. */
export function registerByteRoutes(app: FastifyInstance, { parts }: { readonly parts: Parts }): void {
  app.register(async (own) => {
    // In a scope of its own: here no body is parsed, and each is read as it comes by whoever answers.
    own.removeAllContentTypeParsers();
    own.addContentTypeParser('*', (_request, _payload, done) => done(null));
    const serve = (route: Route, handler: (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>) => {
      const { method, path, role } = route;
      own.route({ method, url: fastifyPath(path), config: { role }, handler });
    };
    serve(byteRoutes.putBlob, (request, reply) => putBlob(parts, request, reply));
    serve(byteRoutes.getBlob, (request, reply) => sendBlob(parts, request, reply));
    serve(byteRoutes.headBlob, (request, reply) => sendBlob(parts, request, reply));
    serve(byteRoutes.appendToUpload, (request, reply) => append(parts, request, reply));
    serve(byteRoutes.headUpload, (request, reply) => tellOffset(parts, request, reply));
    serve(byteRoutes.getFile, (request, reply) => sendFile(parts, request, reply));
    serve(byteRoutes.headFile, (request, reply) => sendFile(parts, request, reply));
  });
}

async function putBlob({ registry }: Parts, request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
  const { repoKey: repo, digest } = paramsOf(byteRoutes.putBlob.params, request);
  const source = requestBytes(request.raw, { maxBytes: registry.settings.maxBlobBytes });
  const { putBlob: put } = await import('../../../domain/registry/blobs/put-blob.ts');
  const length = request.headers['content-length'];
  const size = length === undefined ? undefined : Number(length);
  const blob = await put(registry, { repo, digest: parseDigest(digest), size, source }, actorOf(request));
  return reply
    .code(blob.added ? 201 : 200)
    .headers({ location: `/v1/repos/${repo}/blobs/${digest}`, etag: etagOf(blob.digest) })
    .send(blob);
}

async function sendBlob(parts: Parts, request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
  const { repoKey, digest } = paramsOf(byteRoutes.getBlob.params, request);
  const { findBlob, openBlob } = await import('../../../domain/registry/blobs/find-blob.ts');
  const found = await findBlob(parts.registry, repoKey, digest);
  return sendBytes(request, reply, {
    ...found,
    mediaType: 'application/octet-stream',
    open: () => openBlob(parts.registry, found),
    failed: failing(parts, request),
  });
}

async function sendFile(parts: Parts, request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
  const params = paramsOf(byteRoutes.getFile.params, { params: withRest(request.params) });
  const { repoKey: repo, path, ...coordinate } = params;
  const [{ openBlob }, { findFile }] = await Promise.all([
    import('../../../domain/registry/blobs/find-blob.ts'),
    import('../../../domain/registry/blobs/find-file.ts'),
  ]);
  const found = await findFile(parts.registry, { repo, coordinate, path });
  return sendBytes(request, reply, {
    ...found,
    mediaType: found.mediaType ?? 'application/octet-stream',
    open: () => openBlob(parts.registry, found),
    failed: failing(parts, request),
  });
}

async function append({ registry }: Parts, request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
  const { repoKey: repo, uploadId } = paramsOf(byteRoutes.appendToUpload.params, request);
  const given = request.headers[uploadOffsetHeader];
  if (typeof given !== 'string' || !/^\d{1,15}$/.test(given)) {
    throw invalidRequest([{ path: `headers.${uploadOffsetHeader}`, message: 'must say how many bytes are there' }]);
  }
  const source = requestBytes(request.raw, { maxBytes: registry.settings.maxBlobBytes });
  const { appendToUpload } = await import('../../../domain/registry/blobs/uploads.ts');
  const offset = await appendToUpload(registry, { repo, uploadId, offset: Number(given), source });
  return reply.code(204).header(uploadOffsetHeader, offset).send();
}

async function tellOffset({ registry }: Parts, request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
  const { repoKey: repo, uploadId } = paramsOf(byteRoutes.headUpload.params, request);
  const { describeUpload } = await import('../../../domain/registry/blobs/uploads.ts');
  const { offset, size } = await describeUpload(registry, { repo, uploadId });
  if (size !== null) void reply.header(uploadLengthHeader, size);
  return reply.header(uploadOffsetHeader, offset).send();
}

/** @throws WaybillError `invalid_input` with each problem and its path */
/** Fastify calls what takes the rest of a path `*`. */
function withRest(params: unknown): unknown {
  if (typeof params !== 'object' || params === null || !('*' in params)) return params;
  const { '*': path, ...others } = params;
  return { ...others, path };
}

/** Nobody can be told any more: the head of the answer is on its way. */
function failing({ errors }: Parts, request: FastifyRequest): (error: unknown) => void {
  return (error) => {
    void request.inScope(() =>
      errors.capture(error, { layer: 'L2', component: 'api', actor: request.caller?.actor ?? null }),
    );
  };
}
