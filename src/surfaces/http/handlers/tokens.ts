import type { HttpParts } from '../http-parts.ts';
import { api } from '../request-context.ts';

export function tokenHandlers({ tokens }: Pick<HttpParts, 'tokens'>) {
  return {
    make: api.tokens.make.handler(({ input, context }) => tokens.make(input.body, context.caller.actor)),
    list: api.tokens.list.handler(async () => ({ tokens: [...(await tokens.list())] })),
    changeRoles: api.tokens.changeRoles.handler(({ input, context }) =>
      tokens.changeRoles(input.params.tokenId, input.body, context.caller.actor),
    ),
    revoke: api.tokens.revoke.handler(({ input, context }) =>
      tokens.revoke(input.params.tokenId, context.caller.actor),
    ),
  };
}
