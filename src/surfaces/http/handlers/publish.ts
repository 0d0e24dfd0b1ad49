import { parseId } from '../../../contract/ids.ts';
import { formatTime } from '../../../platform/clock/clock.ts';
import { parseDigest } from '../../../platform/digests/digest.ts';
import { versionView } from '../../../views/registry.ts';
import type { HttpParts } from '../http-parts.ts';
import { api } from '../request-context.ts';
import { inBody } from './in-body.ts';

/** Publishes a draft; loaded when it is first asked for, so that a start need not pay for it. */
export function publishHandlers({ registry }: HttpParts) {
  return {
    publishWhole: api.versions.publishWhole.handler(async ({ input: { params, body }, context }) => {
      const { publishWhole } = await import('../../../domain/registry/publish/publish-whole.ts');
      const { repoKey: repo } = params;
      const { files, manifest, ...coordinate } = body;
      const whole = {
        repo,
        ...coordinate,
        files: files.map(({ path, content, mediaType = null }) => ({
          path,
          bytes: Buffer.from(content, 'base64'),
          mediaType,
        })),
        manifest: { bytes: Buffer.from(manifest.content, 'base64'), mediaType: manifest.mediaType ?? null },
      };
      const published = await inBody(publishWhole(registry, whole, context.caller.actor));
      const { versionId, digest, idempotent, publishedAt } = published;
      return {
        status: idempotent ? (200 as const) : (201 as const),
        headers: { location: `/v1/repos/${repo}/packages/versions/${versionId}` },
        body: { versionId, digest, idempotent, publishedAt: formatTime(publishedAt) },
      };
    }),

    publish: api.versions.publish.handler(async ({ input: { params, body }, context }) => {
      const [{ publishVersion }, { showVersion }] = await Promise.all([
        import('../../../domain/registry/publish/publish-version.ts'),
        import('../../../domain/registry/packages/describe-version.ts'),
      ]);
      const { repoKey: repo, versionId } = params;
      const { digest } = body;
      const expected = digest === undefined ? {} : { expectedDigest: parseDigest(digest) };
      const request = { repo, versionId: parseId('version', versionId), ...expected };
      const { idempotent } = await publishVersion(registry, request, context.caller.actor);
      return { idempotent, version: versionView(await showVersion(registry, repo, versionId)) };
    }),
  };
}
