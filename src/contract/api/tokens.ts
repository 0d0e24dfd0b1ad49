import { z } from 'zod';
import { idShapes } from '../ids.ts';
import { roles } from './role.ts';

const time = z.iso.datetime();

export const newTokenSchema = z.strictObject({
  /** What it is for, unique among those that are valid; the actor of what is done with it is `token:<name>`. */
  name: z.string().regex(idShapes.name, 'must be a name'),
  role: z.enum(roles),
});

/** A token as it is shown: the token itself is known only to whoever made it. */
export const tokenSchema = z.strictObject({
  id: z.string().regex(/^tok_[0-9a-f]{16}$/),
  name: z.string(),
  actor: z.string(),
  role: z.enum(roles),
  createdAt: time,
  revokedAt: time.nullable(),
});
export type Token = z.infer<typeof tokenSchema>;

/** The one answer that holds the token itself. */
export const madeTokenSchema = tokenSchema.extend({ token: z.string() });
export type MadeToken = z.infer<typeof madeTokenSchema>;

export const tokenListSchema = z.strictObject({ tokens: z.array(tokenSchema) });
