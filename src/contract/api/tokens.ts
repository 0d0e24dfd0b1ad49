import { z } from 'zod';
import { idShapes } from '../ids.ts';
import { repoRoles, workspaceRoles } from './role.ts';

const time = z.iso.datetime();
const repo = z.string().regex(idShapes.repo, 'must be the key of a repo');
/** More than anybody hands out, and little enough to be read with each request. */
export const mostGrants = 100;

export const repoGrantSchema = z
  .strictObject({
    repo: repo.describe('The key of the repo.'),
    role: z.enum(repoRoles).describe('What may be done in it; each role may do all that those before it may.'),
  })
  .describe('What a token may do in one repo.');

const workspaceRole = z
  .enum(workspaceRoles)
  .nullable()
  .describe(
    'What it may do in the workspace: a `runner` submits, follows and cancels runs, an `operator` also tends the daemon, an `auditor` reads everything and changes nothing, an `admin` may do all; null for none of it.',
  );
const repos = z.array(repoGrantSchema).max(mostGrants).describe('What it may do in single repos.');

export const newTokenSchema = z
  .strictObject({
    name: z
      .string()
      .regex(idShapes.name, 'must be a name')
      .describe(
        'What it is for, unique among those that are not revoked; the actor of what is done with it is `token:<name>`.',
      ),
    role: workspaceRole.default(null),
    repos: repos.default([]),
    expiresAt: time.nullable().default(null).describe('From when on it opens nothing; null for never.'),
  })
  .describe('A token to be made: it has a role, or grants in repos, or both.')
  .meta({ examples: [{ name: 'release', repos: [{ repo: 'local', role: 'publish' }] }] });

export const changeRolesSchema = z
  .strictObject({
    role: workspaceRole.optional(),
    repos: z
      .array(repoGrantSchema.extend({ role: z.enum(repoRoles).nullable().describe('Null takes the grant away.') }))
      .max(mostGrants)
      .default([])
      .describe('Grants to be given, changed or taken away; those of other repos stay.'),
  })
  .describe('A change of what a token may do: what is not named stays as it is.')
  .meta({ examples: [{ repos: [{ repo: 'local', role: 'read' }] }] });

const tokenShape = {
  id: z.string().regex(/^tok_[0-9a-f]{16}$/),
  name: z.string(),
  actor: z.string(),
  role: workspaceRole,
  repos,
  createdAt: time,
  expiresAt: time.nullable(),
  revokedAt: time.nullable(),
  lastUsedAt: time.nullable().describe('When it last opened something, a minute late at most; null for never.'),
};

export const tokenSchema = z
  .strictObject(tokenShape)
  .describe('A token as it is shown: the token itself is known only to whoever made it.');
export type Token = z.infer<typeof tokenSchema>;

export const madeTokenSchema = z
  .strictObject({ ...tokenShape, token: z.string() })
  .describe('The one answer that holds the token itself.');
export type MadeToken = z.infer<typeof madeTokenSchema>;

export const tokenListSchema = z
  .strictObject({ tokens: z.array(tokenSchema) })
  .describe('All tokens, revoked ones included.');
