import { parseId } from '../../../contract/ids.ts';
import { parseDigest } from '../../../platform/digests/digest.ts';
import { versionView } from '../../../views/registry.ts';
import type { HttpParts } from '../http-parts.ts';
import { api } from '../request-context.ts';

/** Publishes a draft; loaded when it is first asked for, so that a start need not pay for it. */
export function publishHandlers({ registry }: HttpParts) {
  return {
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
