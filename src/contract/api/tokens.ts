import { z } from 'zod';
import { idShapes } from '../ids.ts';
import { roles } from './role.ts';

const time = z.iso.datetime();

export const newTokenSchema = z
  .strictObject({
    name: z
      .string()
      .regex(idShapes.name, 'must be a name')
      .describe(
        'What it is for, unique among those that are valid; the actor of what is done with it is `token:<name>`.',
      ),
    role: z.enum(roles).describe('What it may do; each role may do all that those before it may.'),
  })
  .describe('A token to be made.');

const tokenShape = {
  id: z.string().regex(/^tok_[0-9a-f]{16}$/),
  name: z.string(),
  actor: z.string(),
  role: z.enum(roles),
  createdAt: time,
  revokedAt: time.nullable(),
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
