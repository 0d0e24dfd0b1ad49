import type { HttpParts } from '../http-parts.ts';
import { api } from '../request-context.ts';

export function toolHandlers({ tools }: Pick<HttpParts, 'tools'>) {
  return {
    list: api.tools.list.handler(() => tools.list()),
    get: api.tools.get.handler(({ input }) => tools.detail(input.params.toolId)),
  };
}
