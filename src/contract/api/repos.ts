import { z } from 'zod';
import { cursorParameter, limitParameter, nextCursor, repoKey, repoParams } from './packages.ts';
import { detailed, route } from './route.ts';

const count = z.int().min(0);

export const newRepoSchema = z
  .strictObject({
    key: repoKey.describe('What stands in its address: lower case letters, digits and "-".'),
    description: z.string().max(2000).default('').describe('What it is for.'),
  })
  .describe('A repo to be made.')
  .meta({ examples: [{ key: 'releases', description: 'What customers get.' }] });

const listedShape = {
  key: repoKey,
  description: z.string(),
  createdAt: z.iso.datetime(),
  createdBy: z.string().describe('`waybill` for the repo `local`, which every store has.'),
};

export const repoSchema = z
  .strictObject({
    ...listedShape,
    packages: count,
    versions: z.strictObject({ draft: count, published: count, tombstoned: count }),
    blobs: z
      .strictObject({ count, size: count.describe('In bytes; what several repos hold is stored once.') })
      .describe('What may be read in it.'),
  })
  .describe('A repo, and what is in it by number.');
export type Repo = z.infer<typeof repoSchema>;

export const listedRepoSchema = z.strictObject(listedShape).describe('A repo as a list shows it.');
export type ListedRepo = z.infer<typeof listedRepoSchema>;
export const repoListSchema = z
  .strictObject({ repos: z.array(listedRepoSchema), nextCursor })
  .describe('The repos whoever asks may read, by key.');
export const listReposQuery = z.strictObject({ limit: limitParameter, cursor: cursorParameter });

export const repoRoutes = {
  make: route('admin', 'repo_exists')
    .route({
      method: 'POST',
      path: '/v1/repos',
      operationId: 'makeRepo',
      tags: ['Repos'],
      summary: 'Make a repo',
      successStatus: 201,
      ...detailed,
    })
    .input(z.object({ body: newRepoSchema }))
    .output(repoSchema),
  list: route('any')
    .route({
      method: 'GET',
      path: '/v1/repos',
      operationId: 'listRepos',
      tags: ['Repos'],
      summary: 'List the repos one may read',
      ...detailed,
    })
    .input(z.object({ query: listReposQuery.prefault({}) }))
    .output(repoListSchema),
  get: route('repo.read')
    .route({
      method: 'GET',
      path: '/v1/repos/{repoKey}',
      operationId: 'getRepo',
      tags: ['Repos'],
      summary: 'Show a repo, and what is in it by number',
      ...detailed,
    })
    .input(z.object({ params: repoParams }))
    .output(repoSchema),
  remove: route('repo.admin', 'repo_not_empty')
    .route({
      method: 'DELETE',
      path: '/v1/repos/{repoKey}',
      operationId: 'deleteRepo',
      tags: ['Repos'],
      summary: 'Delete a repo that holds no version; the answer is what it was',
      ...detailed,
    })
    .input(z.object({ params: repoParams }))
    .output(repoSchema),
};
