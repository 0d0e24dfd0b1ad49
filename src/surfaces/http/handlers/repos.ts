import { readableRepos } from '../../../domain/workspace/tokens/may-use.ts';
import { listedRepoView, repoView } from '../../../views/registry.ts';
import type { HttpParts } from '../http-parts.ts';
import { api } from '../request-context.ts';

/** What asks the query builder is loaded when it is first asked for, so that a start need not pay for it. */
export function repoHandlers({ registry }: Pick<HttpParts, 'registry'>) {
  return {
    make: api.repos.make.handler(async ({ input: { body }, context }) => {
      const { makeRepo } = await import('../../../domain/registry/repos/make-repo.ts');
      return repoView(await makeRepo(registry, body, context.caller.actor));
    }),

    list: api.repos.list.handler(async ({ input: { query }, context }) => {
      const { listRepos } = await import('../../../domain/registry/repos/list-repos.ts');
      const { limit, cursor = null } = query;
      const page = await listRepos(registry, { readable: readableRepos(context.caller), limit, cursor });
      return { repos: page.repos.map(listedRepoView), nextCursor: page.nextCursor };
    }),

    get: api.repos.get.handler(async ({ input: { params } }) => {
      const { showRepo } = await import('../../../domain/registry/repos/show-repo.ts');
      return repoView(await showRepo(registry, params.repoKey));
    }),

    remove: api.repos.remove.handler(async ({ input: { params }, context }) => {
      const { deleteRepo } = await import('../../../domain/registry/repos/delete-repo.ts');
      return repoView(await deleteRepo(registry, { key: params.repoKey }, context.caller.actor));
    }),
  };
}
