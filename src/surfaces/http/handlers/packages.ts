import { listedVersionView, packageView, tagView, versionView } from '../../../views/registry.ts';
import type { HttpParts } from '../http-parts.ts';
import { api } from '../request-context.ts';

/** What asks the query builder is loaded when it is first asked for, so that a start need not pay for it. */
export function packageHandlers({ registry }: Pick<HttpParts, 'registry'>) {
  return {
    list: api.packages.list.handler(async ({ input: { params, query } }) => {
      const { listPackages } = await import('../../../domain/registry/packages/list-packages.ts');
      const { type = null, prefix = null, limit, cursor = null } = query;
      const page = await listPackages(registry, { repo: params.repoKey, type, prefix, limit, cursor });
      return { packages: page.packages.map(packageView), nextCursor: page.nextCursor };
    }),

    get: api.packages.get.handler(async ({ input: { params } }) => {
      const { showPackage } = await import('../../../domain/registry/packages/list-packages.ts');
      const { repoKey, ...named } = params;
      return packageView(await showPackage(registry, repoKey, named));
    }),

    versions: api.packages.versions.handler(async ({ input: { params, query } }) => {
      const { listVersions } = await import('../../../domain/registry/packages/list-versions.ts');
      const { repoKey: repo, ...named } = params;
      const { state: states, limit, cursor = null } = query;
      const page = await listVersions(registry, { repo, ...named, states, limit, cursor });
      return { versions: page.versions.map(listedVersionView), nextCursor: page.nextCursor };
    }),

    version: api.packages.version.handler(async ({ input: { params } }) => {
      const { findVersion } = await import('../../../domain/registry/packages/find-version.ts');
      const { repoKey, ...coordinate } = params;
      return versionView(await findVersion(registry, repoKey, coordinate));
    }),
  };
}

/** Versions by their ids, whatever their state. */
export function versionHandlers({ registry }: Pick<HttpParts, 'registry'>) {
  return {
    get: api.versions.get.handler(async ({ input: { params } }) => {
      const { showVersion } = await import('../../../domain/registry/packages/describe-version.ts');
      return versionView(await showVersion(registry, params.repoKey, params.versionId));
    }),

    tombstone: api.versions.tombstone.handler(async ({ input: { params, body }, context }) => {
      const { tombstoneVersion } = await import('../../../domain/registry/tombstone/tombstone-version.ts');
      const request = { repo: params.repoKey, versionId: params.versionId, reason: body.reason };
      const { version, idempotent } = await tombstoneVersion(registry, request, context.caller.actor);
      return { idempotent, version: versionView(version) };
    }),
  };
}

export function tagHandlers({ registry }: Pick<HttpParts, 'registry'>) {
  return {
    list: api.tags.list.handler(async ({ input: { params } }) => {
      const { listTags } = await import('../../../domain/registry/tags/list-tags.ts');
      const { repoKey: repo, ...named } = params;
      return { tags: (await listTags(registry, { repo, ...named })).map(tagView) };
    }),

    get: api.tags.get.handler(async ({ input: { params } }) => {
      const { showTag } = await import('../../../domain/registry/tags/list-tags.ts');
      const { repoKey: repo, ...named } = params;
      return tagView(await showTag(registry, { repo, ...named }));
    }),

    set: api.tags.set.handler(async ({ input: { params, body }, context }) => {
      const { setTag } = await import('../../../domain/registry/tags/set-tag.ts');
      const { repoKey: repo, ...named } = params;
      const changed = await setTag(registry, { repo, ...named, version: body.version }, context.caller.actor);
      return { ...tagView(changed), changed: changed.changed };
    }),

    remove: api.tags.remove.handler(async ({ input: { params }, context }) => {
      const { removeTag } = await import('../../../domain/registry/tags/set-tag.ts');
      const { repoKey: repo, ...named } = params;
      return tagView(await removeTag(registry, { repo, ...named }, context.caller.actor));
    }),
  };
}
